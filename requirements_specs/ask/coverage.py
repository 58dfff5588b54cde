"""How much of a sentence was understood: the share of its content words that a slot or the subject explains.

A word that every sentence has (`the`, `what`) is no content. A word of the subject (`gpu`, `deploy`) is content that
is understood without saying anything new.
"""

import re
from dataclasses import dataclass

from requirements_specs.ask.reading import Reading

LEAST_COVERAGE = 0.6
"""A sentence of which a smaller share is understood is refused: what was missed could change the answer."""

_WORD = re.compile(r"[\w$%][\w$%.'-]*")
_BULLET = re.compile(r"(?:^|\s)(\d)[.)](?=\s)")
_FILLER_TEXT = """
a able about according across actually all allow also am an and any anyone are around as at back based be because been
before being best better beyond both but by can can't cannot could determine did do does don't done each either else
enough exceed exceeding expect expected find for from full get gets getting give given go got had has have having
hello help here hi how i i'd i'm i've if in into is it it's its just keep kind know least let like lot lots make makes
many max maximum may maybe me meet meeting meets might min minimal minimum more most much must my myself need needed
needs no now of off ok on once one only or other our out over own per please possible problem question really
recommend recommended right run running runs s same say see send sending setting several shall she should simple
simply since so some something sort still such sufficient sure t take tell than thank thanks that that's the their
them then there these they thing things think this those through to together too total try under up us use used using
version versus via vs want wanted wants was way we well were what what's when where whether which while who will with
within without work working works would yes yet you your
"""
_SUBJECT_TEXT = """
accelerator accelerators agent ai answer answers api app application arrivals assistant availability backend batch
batched bot budget calculate calculation capacity cards chat chatbot chip chips cloud cluster clusters compare
comparison completion compute concurrency concurrent concurrently config configs configuration configure configured
consumption context continuous cost costs datacenter decode deploy deploying deployment design designs efficient
efficiently engine engines estimate estimation expense expensive fit fits fleet format formats frontier gpu gpu's
gpus handle hardware hf high higher host hosts huggingface hyper hyper-parameters hyperparameters individually
inference infrastructure input inputs instance instances instruct internal kv language large latency layout length
lengths limit limits llm llms load low machine machines managed memory model models multiple network node nodes
optimal option options output outputs parallel parallelism parameter parameters people performance pipeline plan
precision prefill price prices process processing production prompt prompts qps quantization quantized rag rate
replica replicas request requests require required requirement requirements response scale self-hosted serve served
server servers serves service serving setup shared simultaneous size slo slos small speed support supports system
systems tensor throughput time token tokens tool topology traffic user users vram window workload workloads
"""
_FILLERS = frozenset(_FILLER_TEXT.split())
_SUBJECT = frozenset(_SUBJECT_TEXT.split())


@dataclass(frozen=True)
class Missed:
    """A word that was not understood, and its place."""

    word: str
    start: int


def coverage(reading: Reading) -> tuple[float, tuple[Missed, ...]]:
    """Return the share of content words that were understood (0 without any), and the words that were not."""
    read = [False] * len(reading.text)
    for start, end in reading.read:
        read[start:end] = [True] * (end - start)
    bullets = {match.start(1) for match in _BULLET.finditer(reading.text)}
    content, missed = 0, []
    for match in _WORD.finditer(reading.text):
        word = match[0].rstrip(".'-")
        places = range(match.start(), match.end())
        understood = any(read[place] for place in places) and not any(
            reading.text[place].isdigit() and not read[place] for place in places
        )
        if not understood and (word in _FILLERS or not word or match.start() in bullets):
            continue
        content += 1
        if not understood and not _is_of_the_subject(word):
            missed.append(Missed(word, match.start()))
    return (1.0 - len(missed) / content if content else 0.0), tuple(missed)


def _is_of_the_subject(word: str) -> bool:
    return word in _SUBJECT or all(part in _SUBJECT or part in _FILLERS for part in word.split("-"))
