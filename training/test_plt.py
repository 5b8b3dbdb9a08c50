"""Checks of the model's mathematics in float64, and of the example layout, on tiny random weights."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, pre_tokenizers, trainers
from torch import Tensor

from away import slim, take
from decode import Decoder, read
from fim import Builder, Hole, block, draw_hole, rest_of_line, span, whole_line
from plt import Plt, PltConfig, causal_attention, rope_tables, rotate, window_attention
from tokenizer import SPECIAL_TOKENS, new_tokenizer

TINY = PltConfig(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=256,
    plt_window_size=(5, 0),
)

CODE = (
    "fn main() {\n    let x = 1;\n    if x > 0 {\n        print(x);\n    }\n}\n\nstruct Über {\n\tname: String,\n}\n"
    * 6
)


def random_model(cfg: PltConfig, seed: int = 0) -> Plt:
    torch.manual_seed(seed)
    model = Plt(cfg).double()
    for value in model.parameters():
        torch.nn.init.normal_(value, mean=1.0 if value.dim() == 1 else 0.0, std=0.3)
    return model


@pytest.fixture
def ids() -> Tensor:
    torch.manual_seed(1)
    return torch.randint(0, TINY.vocab_size, (1, 29))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    made = new_tokenizer()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=list(SPECIAL_TOKENS), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([CODE], trainer)
    return made


@pytest.mark.parametrize("loops", [1, 2, 3])
def test_fused_decoding_equals_whole_sequence(ids: Tensor, loops: int) -> None:
    model = random_model(replace(TINY, plt_num_loops=loops))
    whole = model(ids)[0]
    decoder = Decoder(model)
    rows = [decoder.start(ids[0, :11].tolist())] + [decoder.step(t) for t in ids[0, 11:].tolist()]
    assert torch.allclose(torch.stack(rows), whole[10:], atol=1e-10)


def test_one_loop_is_a_plain_decoder(ids: Tensor) -> None:
    model = random_model(replace(TINY, plt_num_loops=1))
    stack, cfg = model.model, model.cfg
    x = stack.embed_tokens(ids)
    rope = rope_tables(cfg, ids.shape[1], x)
    for layer in stack.layers:
        y = layer.input_layernorm(x)
        q, k, v = (
            p(y).view(1, ids.shape[1], -1, cfg.head_dim).transpose(1, 2)
            for p in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj)
        )
        mixed = F.scaled_dot_product_attention(rotate(q, *rope), rotate(k, *rope), v, is_causal=True, enable_gqa=True)
        x = x + layer.self_attn.o_proj(mixed.transpose(1, 2).flatten(2))
        x = x + layer.mlp(layer.post_attention_layernorm(x))
    assert torch.allclose(model(ids), stack.norm(x) @ model.head().T, atol=1e-10)


def test_later_loops_read_the_token_before(ids: Tensor) -> None:
    model = random_model(TINY)
    seen: list[Tensor] = []
    model.model.layers[0].register_forward_pre_hook(lambda _, args: seen.append(args[0].detach()))
    first, _ = model.model.loops(ids)
    embedded = model.model.embed_tokens(ids)
    assert torch.equal(seen[0], embedded)
    assert torch.allclose(seen[1][:, 0], TINY.plt_emb_scale * embedded[:, 0])
    expected = TINY.plt_emb_scale * embedded[:, 1:] + TINY.plt_hidden_scale * first[:, :-1]
    assert torch.allclose(seen[1][:, 1:], expected)


def test_nothing_looks_ahead(ids: Tensor) -> None:
    model = random_model(replace(TINY, plt_num_loops=3))
    changed = ids.clone()
    changed[0, 17] = (changed[0, 17] + 1) % TINY.vocab_size
    before, after = model(ids), model(changed)
    assert torch.allclose(before[:, :17], after[:, :17])
    assert not torch.allclose(before[:, 17], after[:, 17])


def test_window_is_self_and_sixty_four_before() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 1, 150, 8, dtype=torch.float64) for _ in range(3))
    out = window_attention(q, k, v, 64)
    for t in (0, 1, 63, 64, 65, 149):
        low = max(0, t - 64)
        keys, values = (x[0, 0, low : t + 1, None] for x in (k, v))
        assert torch.allclose(out[0, :, t], read(q[0, :, t, None].transpose(0, 1), keys, values)[0], atol=1e-12)


def test_blocked_causal_attention_is_causal_attention() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 150, 8, dtype=torch.float64) for _ in range(3))
    assert torch.allclose(causal_attention(q, k, v, 64), F.scaled_dot_product_attention(q, k, v, is_causal=True))


def test_gate_is_on_the_global_branch(ids: Tensor) -> None:
    model = random_model(TINY)
    for layer in model.model.layers:
        torch.nn.init.zeros_(layer.self_attn.plt_gate.weight)
        torch.nn.init.constant_(layer.self_attn.plt_gate.bias, 60.0)
    wide = replace(TINY, plt_window_size=(40, 0))
    other = Plt(wide).double()
    other.load_state_dict(model.state_dict())
    # With the gate fully open the local branch, and so its width, is without effect.
    assert torch.allclose(model(ids), other(ids), atol=1e-12)
    for layer in other.model.layers:
        torch.nn.init.constant_(layer.self_attn.plt_gate.bias, -60.0)
    assert not torch.allclose(model(ids), other(ids))


def test_new_gates_are_half_open() -> None:
    model = Plt(TINY)
    assert torch.equal(model.model.layers[0].self_attn.plt_gate(torch.randn(3, 32)), torch.full((3, 4), 0.5))


@pytest.mark.parametrize("text", [CODE, "\t a\r\n\r\n  12 0x3f __init__ 日本\u0301 🦀\n   ", "", " ", "\n\n   \n"])
def test_tokenizer_round_trips(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(Builder(tokenizer).encode(text), skip_special_tokens=False) == text


@pytest.mark.parametrize("make", [rest_of_line, whole_line, block, span])
def test_holes_end_where_their_kind_says(make) -> None:
    rng = random.Random(3)
    found = [hole for _ in range(200) if (hole := make(CODE, rng))]
    assert found
    for hole in found:
        assert 0 <= hole.start < hole.end <= len(CODE)
        if hole.kind != "span":
            assert CODE[hole.end] == "\n"
        if hole.kind == "rest_of_line":
            assert "\n" not in CODE[hole.start : hole.end]


def test_infill_holds_the_file_in_the_served_order(tokenizer: Tokenizer) -> None:
    builder, rng = Builder(tokenizer), random.Random(5)
    for _ in range(200):
        hole = draw_hole(CODE, rng)
        example = builder.infill("src/a.rs", CODE, hole, 512, rng) if hole else None
        if hole is None or example is None:
            continue
        assert len(example.ids) == len(example.weights) <= 512
        middle = example.ids.index(builder.middle)
        assert builder.tokenizer.decode(example.ids[middle + 1 : -1]) == CODE[hole.start : hole.end]
        assert example.ids[-1] == builder.end
        marks = {t: example.ids.index(t) for t in (builder.prefix, builder.suffix)}
        before, after = sorted(marks.values())
        parts = {
            example.ids[before]: example.ids[before + 1 : after],
            example.ids[after]: example.ids[after + 1 : middle],
        }
        prefix, suffix = (tokenizer.decode(parts[t]) for t in (builder.prefix, builder.suffix))
        assert CODE[: hole.start].endswith(prefix)
        assert CODE[hole.end :].startswith(suffix)
        start = hole.start - len(prefix)
        assert prefix == "" or start == 0 or CODE[start - 1] == "\n"


def test_prompt_is_the_start_of_its_example(tokenizer: Tokenizer) -> None:
    builder = Builder(tokenizer)
    hole = Hole("span", 30, 40)
    prompt = builder.prompt("src/a.rs", CODE[: hole.start], CODE[hole.end :], 480, 160)
    assert prompt[0] == builder.file
    assert prompt[-1] == builder.middle
    assert prompt.index(builder.suffix) < prompt.index(builder.prefix)
    assert len(prompt) <= len(builder.header("src/a.rs")) + 480 + 160 + 3


def test_what_comes_back_in_pieces_is_the_model_in_half_the_bits(tmp_path: Path) -> None:
    model = Plt(PltConfig(vocab_size=300, hidden_size=32, intermediate_size=48, num_attention_heads=1, head_dim=32))
    there, pieces, here = tmp_path / "there", tmp_path / "pieces", tmp_path / "here"
    there.mkdir(), here.mkdir()
    state = {"config": model.cfg.to_dict(), "model": model.state_dict(), "optimisers": [1], "position": {"step": 3}}
    torch.save(state, there / "checkpoint.pt")
    (there / "train.jsonl").write_text('{"step": 3}\n')
    slim(there, pieces, 0.02)
    assert len(list(pieces.iterdir())) > 2
    take(pieces, here)
    back = torch.load(here / "checkpoint.pt", weights_only=True)
    assert back["config"] == state["config"] and back["position"] == {"step": 3} and "optimisers" not in back
    assert back["model"].keys() == state["model"].keys()
    for name, tensor in state["model"].items():
        assert torch.equal(back["model"][name], tensor.bfloat16()), name
    assert (here / "train.jsonl").read_text() == '{"step": 3}\n'
