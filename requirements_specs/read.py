"""A YAML or JSON file -> a spec.

Every problem of a file is found in one go. Each names its place, the key, what was read, what is allowed and, where
one can be guessed, the fix.
"""

from pathlib import Path

from requirements_specs import convert
from requirements_specs.errors import InvalidSpecError, Problem, printable
from requirements_specs.known import KnownNames, plain_spelling, resolve
from requirements_specs.owned import OWNED
from requirements_specs.quantity import Dimension
from requirements_specs.read_brought import read_custom_parts, read_model
from requirements_specs.read_caps import refuse_uncapped
from requirements_specs.read_choice import read_choice
from requirements_specs.read_offline import read_spot, refuse_objective, refuse_traffic_keys
from requirements_specs.read_owned import read_owned
from requirements_specs.read_prices import read_discounts, read_prices
from requirements_specs.read_profile import read_cold_start
from requirements_specs.read_slo import read_slo
from requirements_specs.read_workload import read_workload
from requirements_specs.section import Findings, Section
from requirements_specs.serving import (
    LEAST_RISK,
    Availability,
    Budget,
    Formats,
    Inventory,
    Layout,
    Objective,
    Pools,
    ServingSpec,
)
from requirements_specs.source import parse, read_text

_MOST_DOLLARS = 1e12


def read_spec(path: Path, names: KnownNames) -> ServingSpec:
    """Return the spec in a YAML or JSON file of at most 1 MB, names resolved, with what was assumed beside it.

    Raises:
        UnreadableSpecError: the file cannot be opened, is too large or is not UTF-8 text.
        MalformedSpecError: the text is not one YAML or JSON mapping.
        InvalidSpecError: keys or values that a spec may not have; it holds all of them.
    """
    return spec_from_text(read_text(path), str(path), names)


def spec_from_text(text: str, path: str, names: KnownNames) -> ServingSpec:
    """Return the spec that `text` is; `path` is named in messages, and its stem names a spec without a name.

    Raises:
        MalformedSpecError, InvalidSpecError: as `read_spec`.
    """
    root = parse(text, path)
    findings = Findings(path)
    top = Section(findings, root, "", mark=root.mark)
    spec = _read_serving(top, findings, names, default_name=Path(path).stem or "spec")
    if spec is None:
        raise InvalidSpecError(sorted(findings.problems, key=lambda problem: _place(problem, path)))
    return spec


def _place(problem: Problem, spec: str) -> tuple[bool, int, int]:
    """The order of problems: those of the spec, then those of a file that it names."""
    line, column = (0, 0) if problem.mark is None else (problem.mark.line, problem.mark.column or 0)
    return problem.path != spec, line, column


def _read_serving(top: Section, findings: Findings, names: KnownNames, *, default_name: str) -> ServingSpec | None:
    """Return the spec, or None if there are problems."""
    top.require(
        kind="serving",
        model="a model of the catalog, or the path of a config.json",
        workload="traffic and lengths below this key",
    )
    top.value("kind", convert.spec_kind)
    name = top.value("name", convert.name) or default_name
    model = read_model(top, findings, names)
    objective = top.value("objective", convert.choice(Objective, "this objective"))
    if objective is None:
        objective = Objective.CHEAPEST
        findings.assume("objective", objective, "no other objective is given")
    risk = top.value("risk", convert.quantity(Dimension.SHARE, at_least=LEAST_RISK, at_most=0.5))
    if risk is None:
        risk = 0.1
        findings.assume("risk", "0.1", "each limit holds with probability 0.9, given how well step times are known")
    pools = top.value("pools", convert.choice(Pools, "this use of pools"))
    if pools is None:
        pools = Pools.MIXED
        findings.assume("pools", pools, "prefill and decode share their replicas")
    engines = top.names("engines", names.engines, "engine")
    if engines is None:
        engines = ("vllm",)
        findings.assume("engines", "vllm", "no engine is given")
    traffic = top.section("workload")
    job = traffic is not None and "offline" in traffic
    workload = None if traffic is None else read_workload(traffic, findings, objective)
    if job:
        refuse_traffic_keys(top, findings)
        findings.assume("billing", "by the second", "instances are paid from the start of the job to its end")
        findings.assume("start", "replicas ready", "the window begins once the weights are loaded")
    refuse_objective(top, objective, findings, job=job)
    slo = () if job else read_slo(top.optional_section("slo"), findings)
    budget = _read_budget(top.optional_section("budget"))
    inventory = _read_inventory(top, findings, names, job=job)
    formats = _read_formats(top.optional_section("formats"), findings, names)
    layout = _read_layout(top.optional_section("layout"))
    reserve = top.optional_section("availability")
    scaled = traffic is not None and "profile" in traffic
    availability = Availability() if job else _read_availability(reserve, findings, scaled=scaled)
    if objective.needs_cap and not job:
        refuse_uncapped(top, objective, budget, inventory)
    if findings.problems or model is None or workload is None:
        return None
    return ServingSpec(
        name=name,
        model=model,
        objective=objective,
        risk=risk,
        workload=workload,
        slo=slo,
        budget=budget,
        inventory=inventory,
        formats=formats,
        layout=layout,
        engines=engines,
        pools=pools,
        availability=availability,
        assumed=tuple(findings.assumed),
    )


def _read_budget(section: Section) -> Budget:
    def dollars(key: str, dimension: Dimension) -> float | None:
        return section.value(key, convert.quantity(dimension, above=0.0, at_most=_MOST_DOLLARS))

    return Budget(
        usd_per_hour=dollars("usd_per_hour", Dimension.MONEY_PER_HOUR),
        usd_per_month=dollars("usd_per_month", Dimension.MONEY_PER_MONTH),
        usd_per_million_output_tokens=dollars("usd_per_million_output_tokens", Dimension.MONEY_PER_MILLION_TOKENS),
    )


def _read_inventory(top: Section, findings: Findings, names: KnownNames, *, job: bool) -> Inventory:
    section = top.optional_section("inventory")
    if "inventory" in top and section.is_empty:
        findings.refuse(
            top.mark("inventory"), "inventory", "an empty inventory", read="{}", fix="no key, to allow every offer"
        )
    custom, names = read_custom_parts(section, findings, names)
    tiers = section.names("tiers", names.tiers, "tier")
    if tiers is None:
        tiers = ("on_demand",)
        findings.assume("inventory.tiers", "on_demand", "no spot capacity unless it is asked for")
    estimated = section.value("estimated_parts", convert.truth)
    if estimated is None:
        findings.assume(
            "inventory.estimated_parts", "false", "only parts whose step times, or whose die's, are measured"
        )
    undated = section.value("undated", convert.truth)
    if undated is None:
        findings.assume("inventory.undated", "false", "only prices with a date")

    def part(written: str) -> str:
        resolved = resolve(written, names.accelerators, "accelerator")
        if plain_spelling(written) != resolved:
            findings.assume("inventory.accelerators", resolved, f"{printable(written)} is read as this part")
        return resolved

    owned = read_owned(section, findings, names)
    providers = names.providers | {OWNED} if owned else names.providers
    return Inventory(
        providers=section.names("providers", providers, "provider"),
        regions=section.names("regions", names.regions, "region"),
        tiers=tiers,
        accelerators=section.values("accelerators", part),
        custom_accelerators=custom,
        exclude_offers=section.names("exclude_offers", names.offers, "offer", may_be_empty=True) or (),
        max_accelerators=section.value("max_accelerators", convert.whole_number(1)),
        estimated_parts=bool(estimated),
        undated=bool(undated),
        owned=owned,
        prices=read_prices(section, findings, names),
        discounts=read_discounts(section, findings, names),
        spot=read_spot(section, job=job, tiers=tiers, findings=findings),
    )


def _read_formats(section: Section, findings: Findings, names: KnownNames) -> Formats:
    formats = Formats(
        weights=section.names("weights", names.formats, "format"),
        activations=section.names("activations", names.formats, "format"),
        kv=section.names("kv", names.formats, "format"),
    )
    if formats.weights is None:
        findings.assume(
            "formats.weights", "the checkpoint's own, and fp8 where native", "lower formats only if allowed"
        )
    if formats.activations is None:
        findings.assume("formats.activations", "those that the weights' kernels take", "no format is given")
    if formats.kv is None:
        findings.assume("formats.kv", "bf16", "lower formats only if allowed")
    return formats


def _read_layout(section: Section) -> Layout:
    return Layout(
        tp=read_choice(section, "tp"),
        pp=read_choice(section, "pp"),
        ep=read_choice(section, "ep"),
        dp_attention=read_choice(section, "dp_attention"),
        accelerators_per_replica=read_choice(section, "accelerators_per_replica"),
    )


def _read_availability(section: Section, findings: Findings, *, scaled: bool) -> Availability:
    spares = section.value("spare_replicas", convert.whole_number(0))
    if spares is None:
        spares = 0
        findings.assume("availability.spare_replicas", "0", "no replica is kept in spare")
    cap = section.value("load_cap", convert.quantity(Dimension.SHARE, above=0.0, at_most=1.0))
    if cap is None:
        cap = 0.8
        findings.assume("availability.load_cap", "0.8", "a fifth of each replica's capacity is left for bursts")
    cold_start_s = read_cold_start(section, findings, scaled=scaled)
    return Availability(spare_replicas=spares, load_cap=cap, cold_start_s=cold_start_s)
