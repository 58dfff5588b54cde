import shutil
from pathlib import Path

import pytest

import catalog
from catalog.efficiency import read_authored

DATA = Path(catalog.__file__).parent / "data"


def test_authored_constants_are_si() -> None:
    tables = read_authored(DATA)
    assert tables.gemm["bf16"].launch_s == pytest.approx(2.4537e-6, rel=1e-12)
    assert tables.gemm["bf16"].serial_s_per_inner * 8192 == pytest.approx(1.9501e-6, rel=1e-12)
    assert tables.decode_attention["kv_bf16"].unit_s_per_sequence_kv_head == pytest.approx(10.1301e-9, rel=1e-12)
    assert set(tables.experts) == {"bf16", "fp8", "fp8_block", "nvfp4", "int4", "mxfp4_bf16", "mxfp4_fp8"}


def test_every_constant_is_positive_or_switched_off() -> None:
    tables = read_authored(DATA)
    groups = (
        tables.gemm,
        tables.context_attention,
        tables.context_latent,
        tables.decode_attention,
        tables.decode_latent,
        tables.experts,
    )
    for fits in (group.values() for group in groups):
        for fit in fits:
            values = fit.model_dump(exclude={"fit"})
            assert all(value >= 0 for value in values.values())
            assert values["launch_s"] > 0
            assert values["compute_efficiency"] > 0
            assert fit.fit.source


def test_waves_never_outgrow_the_work() -> None:
    """Exponents beyond one would make a larger multiply or a better part take less or more time than it may."""
    tables = read_authored(DATA)
    for gemm in tables.gemm.values():
        assert gemm.wave_exponent <= 1
        assert gemm.occupancy_exponent <= 1
    for attention in (*tables.context_attention.values(), *tables.context_latent.values()):
        assert attention.wave_exponent <= 1


def test_all_reduces_are_of_graph_kernels_on_scale_up_links() -> None:
    tables = read_authored(DATA)
    keys = [(row.kernel_table, row.library, row.accelerators) for row in tables.all_reduce]
    assert len(keys) == len(set(keys))
    assert not any("eager" in row.source for row in tables.all_reduce)
    assert not {"l40s", "rtx_pro_6000_server"} & {row.kernel_table for row in tables.all_reduce}
    assert all(row.bandwidth_bytes_per_s < row.link_bytes_per_s for row in tables.all_reduce)


def test_empty_cells_and_double_kernels_are_refused(tmp_path: Path) -> None:
    shutil.copytree(DATA / "efficiency", tmp_path / "efficiency")
    path = tmp_path / "efficiency" / "gemm.csv"
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("2.4537", ""), encoding="utf-8")
    with pytest.raises(ValueError, match="launch_us"):
        read_authored(tmp_path)
    path.write_text(good + good.splitlines()[1] + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="twice"):
        read_authored(tmp_path)
