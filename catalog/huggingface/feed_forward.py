"""The feed-forward layers of a config: dense blocks, routed experts, shared experts, and which layers have which."""

from dataclasses import dataclass, replace

from catalog.fields import Fields

WIDEST_FEED_FORWARD = 10**7
MOST_EXPERTS = 65_536


@dataclass(frozen=True)
class FeedForward:
    """The fields of `Architecture` that describe feed-forward layers."""

    ffn: int
    dense_layers: int
    expert_layers: int = 0
    experts: int = 0
    active_experts: int = 0
    shared_experts: int = 0
    expert_ffn: int = 0


def dense(config: Fields, layers: int) -> FeedForward:
    """Return one dense block in every layer."""
    return FeedForward(ffn=config.count("intermediate_size", WIDEST_FEED_FORWARD), dense_layers=layers)


def experts_in_every_layer(config: Fields, layers: int) -> FeedForward:
    """Return experts as wide as `intermediate_size` in every layer (Mixtral, gpt-oss)."""
    width = config.count("intermediate_size", WIDEST_FEED_FORWARD)
    experts, active = _routed(config, ("num_local_experts", "num_experts"))
    return FeedForward(
        ffn=width, dense_layers=0, expert_layers=layers, experts=experts, active_experts=active, expert_ffn=width
    )


def experts_in_every_nth_layer(config: Fields, layers: int) -> FeedForward:
    """Return the experts of Qwen3: in each `decoder_sparse_step`-th layer but those of `mlp_only_layers`."""
    experts, active = _routed(config, ("num_experts", "num_local_experts"))
    step = config.optional_count("decoder_sparse_step", layers) or 1
    plain = _layer_numbers(config, "mlp_only_layers", layers)
    sparse = sum(1 for layer in range(layers) if layer not in plain and (layer + 1) % step == 0)
    if not sparse:
        raise config.error("mlp_only_layers", "leaves no layer with experts", allowed=f"fewer than {layers} layers")
    return FeedForward(
        ffn=config.count("intermediate_size", WIDEST_FEED_FORWARD),
        dense_layers=layers - sparse,
        expert_layers=sparse,
        experts=experts,
        active_experts=active,
        expert_ffn=config.count("moe_intermediate_size", WIDEST_FEED_FORWARD),
    )


def experts_beside_a_shared_one(config: Fields, layers: int) -> FeedForward:
    """Return the experts of Qwen2; its one shared expert, n times as wide as a routed one, counts as n."""
    routed = experts_in_every_nth_layer(config, layers)
    width = routed.expert_ffn
    shared = config.count("shared_expert_intermediate_size", WIDEST_FEED_FORWARD)
    if shared % width:
        allowed = f"a multiple of moe_intermediate_size {width}"
        nearest = f"{max(1, round(shared / width)) * width}"
        raise config.error("shared_expert_intermediate_size", "cannot be counted", allowed=allowed, fix=nearest)
    return replace(routed, shared_experts=shared // width)


def experts_after_dense_layers(config: Fields, layers: int) -> FeedForward:
    """Return the experts of DeepSeek, GLM-4.5 and Kimi: in each `moe_layer_freq`-th layer after the dense ones."""
    experts, active = _routed(config, ("n_routed_experts",))
    first = config.count("first_k_dense_replace", layers, least=0)
    step = config.optional_count("moe_layer_freq", layers) or 1
    sparse = sum(1 for layer in range(first, layers) if layer % step == 0)
    if not sparse:
        raise config.error("first_k_dense_replace", "leaves no layer with experts", allowed=f"less than {layers}")
    return FeedForward(
        ffn=config.count("intermediate_size", WIDEST_FEED_FORWARD),
        dense_layers=layers - sparse,
        expert_layers=sparse,
        experts=experts,
        active_experts=active,
        shared_experts=config.count("n_shared_experts", MOST_EXPERTS, least=0),
        expert_ffn=config.count("moe_intermediate_size", WIDEST_FEED_FORWARD),
    )


def _routed(config: Fields, keys: tuple[str, ...]) -> tuple[int, int]:
    """Return how many experts there are and how many a token uses."""
    experts = config.count_of(keys, MOST_EXPERTS)
    active = config.count_of(("num_experts_per_tok", "experts_per_token"), MOST_EXPERTS)
    if active > experts:
        raise config.error(
            "num_experts_per_tok", "more experts active than there are", allowed=f"1 to {experts}", fix=f"{experts}"
        )
    return experts, active


def _layer_numbers(config: Fields, key: str, layers: int) -> frozenset[int]:
    numbers = config.value(key)
    if numbers is None:
        return frozenset()
    known = range(layers)
    if not isinstance(numbers, list) or not all(type(number) is int and number in known for number in numbers):
        raise config.error(key, "not a list of layers", allowed=f"numbers from 0 to {layers - 1}")
    return frozenset(numbers)
