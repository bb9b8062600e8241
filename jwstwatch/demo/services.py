"""Answers to MAST queries: filters, columns, pages and the envelope around them.

Source: the MAST API's description of Mashup requests and filters, and recorded answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.keywords import KEYWORD_FIELDS, SERVICE_PREFIX, SERVICES
from jwstwatch.demo.rows import OBSERVATION_FIELDS, PRODUCT_FIELDS, Fields, Row

Envelope = dict[str, object]

OBSERVATIONS = "Mast.Caom.Filtered"
PRODUCTS = "Mast.Caom.Products"

_PAGE_SIZE = 50_000
_COUNT = "COUNT_BIG(*)"


class QueryError(Exception):
    """The question cannot be answered; the text is what MAST would put into `msg`."""


@dataclass(frozen=True, slots=True)
class _Table:
    fields: Fields
    rows: list[Row]


def answer(catalogue: Catalogue, question: Mapping[str, Any], *, missing: int = 0) -> Envelope:
    """Return the reply to one decoded question; `missing` rows of the page are left out by fault.

    A bad question is answered, as MAST does, with 200 and status ERROR.
    """
    try:
        return _answer(catalogue, question, missing=missing)
    except QueryError as error:
        return error_envelope(str(error))


def error_envelope(message: str) -> Envelope:
    """Return MAST's reply to a question that went wrong."""
    return {"status": "ERROR", "msg": message, "data": [], "fields": [], "paging": _paging(1, _PAGE_SIZE, 0)}


def executing_envelope() -> Envelope:
    """Return MAST's reply while a query runs."""
    return {"status": "EXECUTING", "msg": "", "data": [], "fields": [], "paging": _paging(1, _PAGE_SIZE, 0)}


def columns_config(name: str) -> dict[str, dict[str, object]]:
    """Return the columns configuration called `name`, the types that make a filter continuous or discrete.

    An unknown name is answered with nothing.
    """
    if name in ("Mast.Caom.Cone", OBSERVATIONS):
        return _config(OBSERVATION_FIELDS)
    if name == PRODUCTS:
        return _config(PRODUCT_FIELDS)
    return _config(KEYWORD_FIELDS) if _is_keyword_service(name) else {}


def look_up_paths(catalogue: Catalogue, form: Mapping[str, Sequence[str]]) -> dict[str, dict[str, object]]:
    """Return where each product lies in the public bucket; nothing is told of exclusive and unknown ones."""
    return {uri: _look_up_path(catalogue, uri) for uri in form.get("uri", ())}


def _look_up_path(catalogue: Catalogue, uri: str) -> dict[str, object]:
    try:
        hidden = catalogue.exclusive(uri)
    except KeyError:
        hidden = True
    if hidden:
        return {"status_code": 404, "path": None}
    name = uri.rpartition("/")[2]
    return {"status_code": 200, "path": f"/jwst/public/{name[:7]}/{name.partition('_')[0]}/{name}"}


def _answer(catalogue: Catalogue, question: Mapping[str, Any], *, missing: int) -> Envelope:
    service, params = question.get("service"), question.get("params")
    if not isinstance(service, str) or not isinstance(params, Mapping):
        raise QueryError("The request needs a service and params")
    table = _find_table(catalogue, service, params)
    if params.get("columns", "*") == _COUNT:
        table = _Table((("Column1", "string"),), [{"Column1": len(table.rows)}])
    else:
        table = _choose_columns(table, params.get("columns", "*"))
    page, size = _page_numbers(question)
    rows = table.rows[(page - 1) * size : page * size]
    paging = _paging(page, size, len(table.rows))
    return {
        "status": "COMPLETE",
        "msg": "",
        "data": rows[: max(len(rows) - missing, 0)],
        "fields": [{"name": name, "type": kind} for name, kind in table.fields],
        "paging": paging,
    }


def _find_table(catalogue: Catalogue, service: str, params: Mapping[str, Any]) -> _Table:
    if service == PRODUCTS:
        return _Table(PRODUCT_FIELDS, catalogue.product_rows(_obsids(params.get("obsid"))))
    filters = params.get("filters") or ()
    if service == OBSERVATIONS:
        accepts = _conjunction(filters, OBSERVATION_FIELDS)
        return _Table(OBSERVATION_FIELDS, list(filter(accepts, catalogue.observation_rows())))
    if _is_keyword_service(service):
        accepts = _conjunction(filters, KEYWORD_FIELDS)
        rows = catalogue.keyword_rows(service.removeprefix(SERVICE_PREFIX), accepts)
        return _Table(KEYWORD_FIELDS, rows)
    raise QueryError(f"Service '{service}' is not known to the demo archive.")


def _conjunction(filters: Iterable[Mapping[str, Any]], fields: Fields) -> Callable[[Row], bool]:
    predicates = [_predicate(entry, fields) for entry in filters]
    return lambda row: all(predicate(row) for predicate in predicates)


def _is_keyword_service(name: str) -> bool:
    return name.startswith(SERVICE_PREFIX) and name.removeprefix(SERVICE_PREFIX).lower() in SERVICES


def _obsids(stated: object) -> list[int]:
    parts = stated if isinstance(stated, list) else str(stated or "").split(",")
    try:
        return [int(str(part)) for part in parts]
    except ValueError:
        raise QueryError("Error converting data type varchar to bigint.") from None


def _predicate(entry: Mapping[str, Any], fields: Fields) -> Callable[[Row], bool]:
    by_name = {name.lower(): name for name, _ in fields}
    try:
        column = by_name[str(entry["paramName"]).lower()]
    except (KeyError, TypeError):
        raise QueryError(f"Invalid column name in filter {entry!r}.") from None
    values, free_text, separator = entry.get("values") or [], entry.get("freeText"), entry.get("separator")

    def accepts(row: Row) -> bool:
        found = row[column]
        if found is None:
            return False
        words = [_text(found)]
        if separator and isinstance(found, str):
            words += [_text(part.strip()) for part in found.split(separator)]
        if any(_accepts_value(found, words, value) for value in values):
            return True
        return bool(free_text) and any(_is_like(word, str(free_text)) for word in words)

    return accepts


def _accepts_value(found: object, words: Sequence[str], value: object) -> bool:
    if not isinstance(value, Mapping):
        return _text(value) in words
    if not isinstance(found, int | float):
        raise QueryError("A range was asked of a column that holds text.")
    low, high = value.get("min"), value.get("max")
    return (low is None or found >= _number(low)) and (high is None or found <= _number(high))


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise QueryError("Error converting data type varchar to float.") from None


def _text(value: object) -> str:
    # MAST compares without regard to case, and numbers in whichever way they are written.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).lower()


def _is_like(text: str, pattern: str) -> bool:
    literal = pattern.lower().replace("[", "[[]").replace("?", "[?]").replace("*", "[*]")
    return fnmatchcase(text, literal.replace("%", "*"))


def _choose_columns(table: _Table, columns: object) -> _Table:
    if columns == "*":
        return table
    names = [name.strip() for name in str(columns).split(",")]
    types = dict(table.fields)
    unknown = [name for name in names if name not in types]
    if unknown:
        raise QueryError(f"Invalid column name '{unknown[0]}'.")
    rows: list[Row] = [{name: row[name] for name in names} for row in table.rows]
    return _Table(tuple((name, types[name]) for name in names), rows)


def _page_numbers(question: Mapping[str, Any]) -> tuple[int, int]:
    page, size = question.get("page") or 1, question.get("pagesize") or _PAGE_SIZE
    try:
        page, size = int(page), int(size)
    except (TypeError, ValueError):
        raise QueryError("page and pagesize are numbers.") from None
    if page < 1 or size < 1:
        raise QueryError("page and pagesize begin at 1.")
    return page, size


def _paging(page: int, size: int, total: int) -> dict[str, int]:
    return {
        "page": page,
        "pageSize": size,
        "pagesFiltered": math.ceil(total / size),
        "rows": max(min(size, total - (page - 1) * size), 0),
        "rowsFiltered": total,
        "rowsTotal": total,
    }


def _config(fields: Iterable[tuple[str, str]]) -> dict[str, dict[str, object]]:
    types = {"string": "char", "float": "double", "int": "int"}
    split = {"filters", "obs_collection", "project", "target_classification", "wavelength_region"}
    config: dict[str, dict[str, object]] = {}
    for name, kind in fields:
        entry: dict[str, object] = {"text": name}
        if kind == "boolean":
            entry["type"] = "boolean"
        else:
            entry["vot.datatype"] = (
                "long" if name in ("obsid", "objID", "obsID", "parent_obsid") else types[kind]
            )
        if name in split:
            entry["separator"] = ";"
        config[name] = entry
    return config
