"""MiniLM's forward pass on packed token sequences: no padding, no attention masks, and nothing imported but torch and tokenizers.

sentence-transformers stays the reference (signals/classifier.py, ``is_exact``): it takes five seconds of CPU time to import and computes the padding too.

Source: Devlin et al.: BERT (2018), the architecture; Wang et al.: MiniLM (2020), its size.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.errors import ModelError

if TYPE_CHECKING:
    import torch


ROWS_PER_STEP = 128  # the number of rows is rounded up to these, that of a text to TOKENS_PER_STEP:
TOKENS_PER_STEP = 16  # each number of its own costs compiled code, which is kept
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
OUT_OF_SIGHT = -1e4  # a score that leaves a token no share in the softmax


class _Layer:
    """A layer's multiplications, and the weights of its norms.

    Args:
        tensors: the model's weights by their published names, float32.
        name: what theirs begin with in this layer.
        dtype: of the multiplications.
    """

    def __init__(self, tensors: Mapping[str, torch.Tensor], name: str, dtype: torch.dtype) -> None:
        import torch

        parts = [_pair(tensors, f"{name}.attention.self.{part}", dtype) for part in ("query", "key", "value")]
        # One matrix, so that they are one multiplication.
        self.query_key_value = (torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts]))
        self.attended = _pair(tensors, f"{name}.attention.output.dense", dtype)
        self.attended_norm = _pair(tensors, f"{name}.attention.output.LayerNorm", None)
        self.wide = _pair(tensors, f"{name}.intermediate.dense", dtype)
        self.narrow = _pair(tensors, f"{name}.output.dense", dtype)
        self.narrow_norm = _pair(tensors, f"{name}.output.LayerNorm", None)
        self._dtype = dtype

    def project(self, hidden: torch.Tensor) -> torch.Tensor:
        """Queries, keys and values side by side, shape (n_tokens, 3 · n_hidden)."""
        from torch.nn.functional import linear

        return linear(hidden.to(self._dtype), *self.query_key_value)

    def mix(self, attended: torch.Tensor) -> torch.Tensor:
        """What the heads found, put together; shape (n_tokens, n_hidden)."""
        from torch.nn.functional import linear

        return linear(attended, *self.attended)

    def feed(self, hidden: torch.Tensor) -> torch.Tensor:
        """Through the wide multiplication, GELU and back; shape (n_tokens, n_hidden)."""
        from torch.nn.functional import gelu, linear

        return linear(gelu(linear(hidden.to(self._dtype), *self.wide)), *self.narrow)


@dataclass(frozen=True, slots=True)
class _Packed:
    """Texts one after the other: where each begins, ends, and ends with what rounds it up."""

    begins: list[int]
    ends: list[int]
    steps: list[int]

    @classmethod
    def of(cls, ids: Sequence[Sequence[int]]) -> _Packed:
        steps = np.cumsum([-(-len(of_text) // TOKENS_PER_STEP) * TOKENS_PER_STEP for of_text in ids]).tolist()
        begins = [0, *steps[:-1]]
        return cls(begins, [begin + len(of_text) for begin, of_text in zip(begins, ids, strict=True)], steps)


class MiniLM:
    """Token vectors of texts.

    Args:
        folder: of the published model, with ``config.json``.
        tensors: its weights by their published names, float32.
        dtype: of the large multiplications; norms and what runs past them stay float32.

    Raises:
        ModelError: the configuration is none of a BERT with GELU and absolute positions.
    """

    def __init__(self, folder: Path, tensors: Mapping[str, torch.Tensor], dtype: torch.dtype) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if (config["model_type"], config["hidden_act"], config["position_embedding_type"]) != ("bert", "gelu", "absolute"):
            raise ModelError(f"{folder} is no BERT with GELU and absolute positions; read with is_exact, which asks sentence-transformers")
        self._n_heads: int = config["num_attention_heads"]
        self._epsilon: float = config["layer_norm_eps"]
        self._words = tensors["embeddings.word_embeddings.weight"]
        # Every token is of the first sentence, so its type's vector can be added to that of its place once and for all.
        self._places = tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0]
        self._first_norm = _pair(tensors, "embeddings.LayerNorm", None)
        self._layers = [_Layer(tensors, f"encoder.layer.{i}", dtype) for i in range(config["num_hidden_layers"])]

    def __call__(self, ids: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        """Per text its token vectors, shape (n_tokens, n_hidden), float32."""
        packed = _Packed.of(ids)
        hidden = self._embedded(ids, packed)
        for layer in self._layers:
            between = self._norm(hidden + layer.mix(self._attended(layer.project(hidden), packed)), layer.attended_norm)
            hidden = self._norm(between + layer.feed(between), layer.narrow_norm)
        return [hidden[begin:end] for begin, end in zip(packed.begins, packed.ends, strict=True)]

    def _embedded(self, ids: Sequence[Sequence[int]], packed: _Packed) -> torch.Tensor:
        import torch

        tokens, places = torch.zeros((2, -(-packed.steps[-1] // ROWS_PER_STEP) * ROWS_PER_STEP), dtype=torch.long)
        for of_text, begin, end in zip(ids, packed.begins, packed.ends, strict=True):
            tokens[begin:end] = torch.tensor(of_text)
            places[begin:end] = torch.arange(end - begin)
        return self._norm(self._words[tokens] + self._places[places], self._first_norm)

    def _norm(self, hidden: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        from torch.nn.functional import layer_norm

        return layer_norm(hidden, hidden.shape[1:], *weights, self._epsilon)

    def _attended(self, projected: torch.Tensor, packed: _Packed) -> torch.Tensor:
        """Attention within each text: (n_tokens, 3 · n_hidden) → (n_tokens, n_hidden).

        Two multiplications and a softmax: for heads of 32 numbers that is quicker than the fused kernel.
        """
        import torch

        n_hidden = projected.shape[1] // 3
        found = torch.zeros_like(projected[:, :n_hidden])
        for begin, end, step in zip(packed.begins, packed.ends, packed.steps, strict=True):
            query, key, value = projected[begin:step].view(step - begin, 3, self._n_heads, -1).permute(1, 2, 0, 3).contiguous()
            scores = (query * query.shape[-1] ** -0.5) @ key.transpose(1, 2)
            scores[:, :, end - begin :] = OUT_OF_SIGHT
            shares = torch.softmax(scores, dim=-1, dtype=torch.float32)  # in bfloat16 decisions change
            found[begin:step] = (shares.to(value.dtype) @ value).transpose(0, 1).reshape(step - begin, -1)
        return found


def load_tokenizer(folder: Path, max_tokens: int) -> Any:
    """The model's tokenizer without padding; texts are cut at ``max_tokens``. May be asked from several threads."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()
    return tokenizer


def compute_on_one_core() -> None:
    """Keeps torch to one thread for the calls of this thread: several readers with a team of threads each only wait for one another."""
    import torch

    torch.set_num_threads(1)


def keep_freed_memory() -> None:
    """Has the C library (glibc) keep what tensors leave behind for the next ones: a page that comes anew costs more than what is computed on it."""
    adjust = getattr(ctypes.CDLL(None), "mallopt", None)
    if adjust is not None:
        adjust(_M_MMAP_THRESHOLD, 32 << 20)
        adjust(_M_TRIM_THRESHOLD, 1 << 30)


def _pair(tensors: Mapping[str, torch.Tensor], name: str, dtype: torch.dtype | None) -> tuple[torch.Tensor, torch.Tensor]:
    return tensors[f"{name}.weight"].to(dtype), tensors[f"{name}.bias"].to(dtype)
