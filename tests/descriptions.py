"""Descriptions of archives for tests: the corpus, and strategies that make new ones in every format."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

CORPUS: Final = tuple(
    (entry["description"], entry["name"])
    for entry in json.loads((Path(__file__).parent / "events/descriptions/corpus.json").read_text())
)
"""Descriptions and the name each gives, with ``{id}`` for the archive id."""

# Not only any Unicode: also what is hard about names, far more often than chance would give it.
awkward_texts: Final = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="ab/\\. .-_~\n\r\t\"',{}<>&", max_size=30),
    st.text(alphabet="a\u0301\u0308e\u030a\u1100\u1161\u11a8\u212b\uf900\x85\u2028", max_size=12),
    st.lists(st.sampled_from(["..", ".", "", "dir", "Ünïcode", "x.tar.gz", "日本語"]), max_size=8).map("/".join),
    st.text(alphabet="ab/é日", min_size=300, max_size=1200),
)


def fast_glacier(path: str, version: int) -> str:
    """As FastGlacier writes it."""
    encoded = base64.b64encode(path.encode()).decode()
    if version == 1:
        return f"<ArchiveMetadata><Path>{encoded}</Path><LastModified>20130101T000000Z</LastModified></ArchiveMetadata>"
    return f"<m><v>{version}</v><p>{encoded}</p><lm>20130101T000000Z</lm></m>"


def json_path(path: str, key: str, *, ascii_only: bool) -> str:
    """As CloudBerry and its kin write it."""
    return json.dumps({key: path, "UTCDateModified": "20130101T000000Z", "Size": 12}, ensure_ascii=ascii_only)


def mt_aws(path: str, version: int) -> str:
    """As mt-aws-glacier writes it."""
    document = json.dumps({"filename": path, "mtime": "20130101T000000Z"}, ensure_ascii=False)
    return f"mt{version} {base64.urlsafe_b64encode(document.encode()).decode().rstrip('=')}"


def encodings(path: str) -> list[str]:
    """Every way in which a supported format says ``path``."""
    return [
        *(fast_glacier(path, version) for version in (1, 2, 3, 4)),
        *(json_path(path, key, ascii_only=only) for key in ("Path", "path") for only in (True, False)),
        *(mt_aws(path, version) for version in (1, 2)),
    ]


descriptions: Final = st.one_of(
    awkward_texts,
    awkward_texts.flatmap(lambda path: st.sampled_from(encodings(path))),
    # cut short, as by the limit of 1,024 characters
    st.tuples(awkward_texts.flatmap(lambda path: st.sampled_from(encodings(path))), st.integers(1, 40)).map(
        lambda pair: pair[0][: -pair[1]]
    ),
    st.sampled_from([description for description, _ in CORPUS]),
)
