from pathlib import Path

import pytest

from catalog.read import load
from optimizer.calibration.score import prefill_decode
from optimizer.calibration.splitwise import FILE_NAME, predict_steps, read_profile

HEADER = "model,gpu,n_gpus,tp,prompt_tokens,batch_size,output_tokens,n_repeats,prompt_time_ms,token_time_ms,e2e_time_ms"
ROWS = (
    "llama2-70b,h100-80gb,8,8,512,1,128,5,50,30,3900",
    "llama2-70b,h100-80gb,8,8,512,64,128,5,3000,50,9400",
    "llama2-70b,h100-80gb,4,4,512,1,128,5,60,30,3800",
    "llama2-70b,a100-80gb,8,8,512,1,128,5,90,45,5800",
    "llama2-70b,a100-80gb,2,2,512,64,128,5,800,67,159000",
    "llama2-70b,h100-80gb-pcap,8,8,512,1,128,5,90,45,5800",
    "bloom-176b,h100-80gb,8,8,512,1,128,5,90,45,5800",
)


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    (tmp_path / FILE_NAME).write_text("\n".join([HEADER, *ROWS, ""]), encoding="utf-8")
    return tmp_path


def test_other_models_and_capped_parts_are_not_read(measured: Path) -> None:
    cases = read_profile(measured)
    assert [(case.part, case.tp, case.batch) for case in cases] == [
        ("h100-sxm-80gb", 8, 1), ("h100-sxm-80gb", 8, 64), ("h100-sxm-80gb", 4, 1), ("a100-sxm-80gb", 8, 1),
        ("a100-sxm-80gb", 2, 64),
    ]  # fmt: skip
    assert (cases[0].measured_prefill_s, cases[0].measured_decode_s) == (0.05, 0.03)
    assert cases[0].case_id == f"{FILE_NAME}:2"


def test_decode_is_held_up_by_the_host_and_prefill_by_its_tokens(measured: Path) -> None:
    tp8, full, tp4, older, waves = predict_steps(read_profile(measured), load())
    assert tp8 is not None
    assert full is not None
    assert tp4 is not None
    assert older is not None
    # twice the accelerators do not decode faster, a slower host decodes slower
    assert tp8.decode_s == pytest.approx(tp4.decode_s, rel=1e-9)
    engine = load().engines["vllm-2023"]
    launches = 80 * engine.eager_layer_s
    assert older.decode_s - tp8.decode_s == pytest.approx((engine.older_host_factor - 1.0) * launches)
    assert full.prefill_s > 10.0 * tp8.prefill_s
    # this batch ran in waves, of which no step is measured
    assert waves is None


def test_no_case_is_no_prediction() -> None:
    assert predict_steps((), load()) == ()


def test_the_section_counts_what_does_not_fit(measured: Path) -> None:
    section = prefill_decode.section(measured, load())
    assert [line.name for line in section.tables[0].lines] == ["prefill", "decode"]
    assert all(line.figures[3:] == ("5", "1") for line in section.tables[0].lines)
