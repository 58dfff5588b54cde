from catalog.quantization import QUANTIZATION
from catalog.read import load


def test_every_quantization_is_a_format_that_stores_weights_or_the_checkpoints_own() -> None:
    formats = load().formats
    assert all(name == name.lower() for name in QUANTIZATION)
    assert all(formats[found].kernels for found in QUANTIZATION.values() if found is not None)
