"""Procedural furniture: any number of labelled part trees with exact relations, by seed."""

from shapegen.data.furniture.generate import CATEGORIES, furniture, vocabulary

__all__ = ["CATEGORIES", "furniture", "vocabulary"]
