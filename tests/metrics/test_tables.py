"""Tables of figures that no network is behind."""

from __future__ import annotations

from shapegen.metrics.tables import evaluation_sections, evaluation_table


def test_hierarchies_have_features_without_a_network() -> None:
    result = {
        "metrics": {"mmd": 0.5, "finite_share": 1.0, "leaf_chamfer": 0.2},
        "floor": {"mmd": 0.1},
        "baseline": {"mmd": 0.9},
        "jitter": {"mmd": 0.9},
        "retrieval": {"leaf_chamfer": 0.3},
        "validity": {"samples": {"attached": 1.0}, "data": {"attached": 1.0}},
        "structures": {"samples": {"mean_leaves": 4.0}, "data": {"mean_leaves": 5.0}},
        "settings": {
            "samples": 2,
            "reference": 3,
            "train": 4,
            "draws": 1,
            "baseline": "jitter",
            "features": {"name": "x", "dimensions": 3, "explained": 0.9, "fitted_to": 4},
        },
    }
    table = evaluation_table(result)
    assert table.caption is None
    title, sections = evaluation_sections(result)
    assert title.startswith("3 held out, 4 for training")
    assert sections["generation"]["floor"] == {"mmd": 0.1}
    assert sections["reconstruction"]["retrieval"] == {"leaf_chamfer": 0.3}
