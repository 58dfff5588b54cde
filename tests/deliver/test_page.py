from rich.text import Text

from optimizer.deliver.page import GLUE, MORE, PAGE_LINES, TEXT_WIDTH, Section, listed, packed, page


def plain(section: Section) -> list[str]:
    return [line.plain for line in section.lines]


def test_lines_break_between_pieces() -> None:
    lines = plain(packed("Asked", ["a" * 50, "b" * 30, "c" * 40], 3))
    assert lines == ["a" * 50 + "; " + "b" * 30 + ";", "c" * 40]


def test_a_piece_wider_than_the_page_breaks_at_words() -> None:
    lines = plain(packed("Wall", [" ".join(["word"] * 40)], 5))
    assert len(lines) > 1
    assert " ".join(lines) == " ".join(["word"] * 40)
    assert all(len(line) <= TEXT_WIDTH for line in lines)


def test_glued_words_stay_on_one_line_and_come_out_with_plain_blanks() -> None:
    lines = plain(packed("Proof", [f"{'x' * (TEXT_WIDTH - 10)} 1,021,952{GLUE}illegal"], 5))
    assert lines == ["x" * (TEXT_WIDTH - 10), "1,021,952 illegal"]


def test_what_is_cut_says_where_it_stands() -> None:
    lines = plain(packed("Asked", ["a" * 80, "b" * 80, "c" * 80], 2))
    assert len(lines) == 2
    assert lines[1].endswith(MORE)
    assert all(len(line) <= TEXT_WIDTH for line in lines)


def test_items_left_out_are_counted() -> None:
    assert plain(listed("Warning", ["first", "second", "third"], 1)) == ["first … (+2 with --json)"]
    assert plain(listed("Warning", [], 1)) == []
    assert len(plain(listed("Warning", ["long " * 40, "second"], 1))[0]) <= TEXT_WIDTH


def test_groups_stand_apart_only_where_the_page_has_room_for_all() -> None:
    small = [[Section("A", (Text("a"),))], [Section("B", (Text("b"),))]]
    assert page(Text("verdict"), small).plain == "verdict\n\nA         a\n\nB         b"
    large = [[Section("A", (Text("a"),) * (PAGE_LINES - 2))], [Section("B", (Text("b"),))]]
    text = page(Text("verdict"), large).plain
    assert "" not in text.split("\n")
    assert text.count("\n") == PAGE_LINES - 1


def test_a_group_without_lines_leaves_no_gap() -> None:
    groups = [[Section("A", ())], [Section("B", (Text("b"),))]]
    assert page(Text("verdict"), groups).plain == "verdict\n\nB         b"
