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


ROWS_PER_STEP = 128  # the number of rows is rounded up to these: each number of its own costs compiled code, which is kept


@dataclass(frozen=True, slots=True)
class _Layer:
    """Weights and biases; query, key and value are one matrix, so that they are one multiplication."""

    query_key_value: tuple[torch.Tensor, torch.Tensor]
    attended: tuple[torch.Tensor, torch.Tensor]
    attended_norm: tuple[torch.Tensor, torch.Tensor]
    wide: tuple[torch.Tensor, torch.Tensor]
    narrow: tuple[torch.Tensor, torch.Tensor]
    narrow_norm: tuple[torch.Tensor, torch.Tensor]


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
        self._dtype = dtype
        self._words = tensors["embeddings.word_embeddings.weight"]
        # Every token is of the first sentence, so its type's vector can be added to that of its place once and for all.
        self._places = tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0]
        self._first_norm = _pair(tensors, "embeddings.LayerNorm", None)
        self._layers = [_layer(tensors, f"encoder.layer.{i}", dtype) for i in range(config["num_hidden_layers"])]

    def __call__(self, ids: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        """Per text its token vectors, shape (n_tokens, n_hidden), float32."""
        import torch
        from torch.nn.functional import gelu, layer_norm, linear

        ends = np.cumsum([len(of_text) for of_text in ids]).tolist()
        spans = list(zip([0, *ends], ends, strict=False))
        width = (self._words.shape[1],)
        tokens, places = torch.zeros((2, -(-ends[-1] // ROWS_PER_STEP) * ROWS_PER_STEP), dtype=torch.long)
        tokens[: ends[-1]] = torch.tensor([token for of_text in ids for token in of_text])
        places[: ends[-1]] = torch.cat([torch.arange(end - start) for start, end in spans])
        hidden = self._words[tokens] + self._places[places]
        hidden = layer_norm(hidden, width, *self._first_norm, self._epsilon)
        for layer in self._layers:
            projected = linear(hidden.to(self._dtype), *layer.query_key_value)
            attended = torch.zeros_like(projected[:, : width[0]])
            for start, end in spans:
                attended[start:end] = self._attend(projected[start:end])
            hidden = layer_norm(hidden + linear(attended, *layer.attended), width, *layer.attended_norm, self._epsilon)
            changed = linear(gelu(linear(hidden.to(self._dtype), *layer.wide)), *layer.narrow)
            hidden = layer_norm(hidden + changed, width, *layer.narrow_norm, self._epsilon)
        return [hidden[start:end] for start, end in spans]

    def _attend(self, projected: torch.Tensor) -> torch.Tensor:
        """Attention within one text: (n_tokens, 3 · n_hidden) → (n_tokens, n_hidden).

        Two multiplications and a softmax: for heads of 32 numbers that is quicker than the fused kernel.
        """
        import torch

        n_tokens, n_all = projected.shape
        per_head = n_all // (3 * self._n_heads)
        query, key, value = projected.view(n_tokens, 3, self._n_heads, per_head).permute(1, 2, 0, 3).contiguous()
        shares = torch.softmax((query * per_head**-0.5) @ key.transpose(1, 2), dim=-1, dtype=torch.float32)  # in bfloat16 decisions change
        attended: torch.Tensor = (shares.to(value.dtype) @ value).transpose(0, 1).reshape(n_tokens, -1)
        return attended


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


def give_back_memory() -> None:
    """Returns freed memory to the system, where the C library can (glibc): it keeps the pieces that tensors of ever other sizes leave behind."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _layer(tensors: Mapping[str, torch.Tensor], name: str, dtype: torch.dtype) -> _Layer:
    import torch

    parts = [_pair(tensors, f"{name}.attention.self.{part}", dtype) for part in ("query", "key", "value")]
    return _Layer(
        (torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts])),
        _pair(tensors, f"{name}.attention.output.dense", dtype),
        _pair(tensors, f"{name}.attention.output.LayerNorm", None),
        _pair(tensors, f"{name}.intermediate.dense", dtype),
        _pair(tensors, f"{name}.output.dense", dtype),
        _pair(tensors, f"{name}.output.LayerNorm", None),
    )


def _pair(tensors: Mapping[str, torch.Tensor], name: str, dtype: torch.dtype | None) -> tuple[torch.Tensor, torch.Tensor]:
    return tensors[f"{name}.weight"].to(dtype), tensors[f"{name}.bias"].to(dtype)
