"""What the page of a proposal shows of one APT observation, read from the state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from jwstwatch.core.gap_words import summarise
from jwstwatch.core.layout import (
    former_quicklook_name,
    preview_folder,
    quicklook_name,
    thumbnail_name,
)
from jwstwatch.core.model import FileState, Observation
from jwstwatch.core.pictures import read_mark
from jwstwatch.core.products import Product
from jwstwatch.core.sisters import CandidateFacts
from jwstwatch.core.site import (
    FormerPicture,
    FormerVersion,
    PageFile,
    PageSettings,
    PartView,
    Reprocessing,
)
from jwstwatch.store import tables
from jwstwatch.store.conditions import belongs, in_root
from jwstwatch.store.engine import Database
from jwstwatch.store.gaps import Part, Scope, part_gaps_of
from jwstwatch.store.listings import observation_of, pairs_of, product_of

_KEYWORDS = "keywords"
"""The service whose facts are told; named as in `product.facts`."""

_PICTURES = (".jpg", ".png")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy on disk of which a picture may be made; `made` is the mark of the one there is."""

    file_id: int
    product_id: int
    path: str
    name: str
    filetype: str
    revision: int
    made: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Products in a root; observations by obsid, copies (path, state) by URI."""

    products: tuple[Product, ...]
    observations: Mapping[int, Observation]
    local: Mapping[str, tuple[Path, FileState]]


class Parts:
    """Reading only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def view(
        self, root_id: int, proposal: int, obsnum: int | None, settings: PageSettings, *, now: datetime
    ) -> tuple[PartView, CandidateFacts]:
        """Return everything that a page shows of one APT observation of a proposal.

        With it comes what tells which level-3 products there should be: no part can say so alone.
        """
        scope = Scope(root_id=root_id, part=Part(obsnum))
        with self._database.read() as connection:
            observations = _observations(connection, proposal, obsnum)
            files = _page_files(connection, root_id, proposal, obsnum)
            gaps, facts = part_gaps_of(connection, proposal, now=now, scope=scope)
        view = PartView(
            proposal=proposal,
            obsnum=obsnum,
            observations=observations,
            files=files,
            settings=settings,
            gaps=tuple(summarise(gaps)),
        )
        return view, facts

    def copies(self, root_id: int, proposal: int, obsnum: int | None) -> list[Copy]:
        """Return the copies on disk of one APT observation's files, by path."""
        file, product = tables.file, tables.product
        query = (
            select(file.c.id, file.c.product_id, file.c.path, file.c.revision, file.c.thumbnail)
            .add_columns(product.c.name, product.c.filetype)
            .join(product, product.c.id == file.c.product_id)
            .where(
                *_of_part(root_id, proposal, obsnum),
                file.c.state.in_(tables.HAS_COPY),
                file.c.revision.is_not(None),
            )
            .order_by(file.c.path)
        )
        with self._database.read() as connection:
            return [
                Copy(
                    file_id=row.id,
                    product_id=row.product_id,
                    path=row.path,
                    name=row.name,
                    filetype=row.filetype,
                    revision=row.revision,
                    made=row.thumbnail,
                )
                for row in connection.execute(query)
            ]

    def shelf(self, root_id: int, proposal: int, obsnum: int | None) -> Shelf:
        """Return the products of one APT observation, the observations that list them, where copies are."""
        file, product, root = tables.file, tables.product, tables.root
        query = (
            select(product, file.c.path, file.c.state, root.c.path.label("root"))
            .join(file, file.c.product_id == product.c.id)
            .join(root, root.c.id == file.c.root_id)
            .where(*_of_part(root_id, proposal, obsnum))
            .order_by(file.c.path)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            pairs = pairs_of(connection, [row.id for row in rows])
            observations = {entry.obsid: entry for entry in _observations(connection, proposal, obsnum)}
            if obsnum is not None:
                # What combines several observations lists their products too.
                observations |= {entry.obsid: entry for entry in _observations(connection, proposal, None)}
        by_product = {row.id: row for row in rows}  # one may lie at several paths
        return Shelf(
            products=tuple(product_of(row, list(pairs[key].values())) for key, row in by_product.items()),
            observations=observations,
            local={row.uri: (Path(row.root) / row.path, FileState(row.state)) for row in rows},
        )


def thumbnail_path(path: str) -> str:
    """Return the path of the thumbnail that belongs to a preview's path."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + thumbnail_name(name)


def _of_part(root_id: int, proposal: int, obsnum: int | None) -> tuple[Any, ...]:
    file, product = tables.file, tables.product
    return (
        in_root(root_id),
        product.c.proposal == proposal,
        belongs(product.c.obsnum, obsnum),
        ~file.c.superseded,
    )


def _observations(connection: Connection, proposal: int, obsnum: int | None) -> tuple[Observation, ...]:
    table = tables.observation
    query = select(table).where(table.c.proposal == proposal, belongs(table.c.obsnum, obsnum))
    query = query.order_by(table.c.t_min.asc().nulls_last(), table.c.obs_id)
    return tuple(observation_of(row) for row in connection.execute(query))


def _page_files(
    connection: Connection, root_id: int, proposal: int, obsnum: int | None
) -> tuple[PageFile, ...]:
    file, product, keywords = tables.file, tables.product, tables.keywords
    part = _of_part(root_id, proposal, obsnum)
    query = (
        select(
            file,
            product.c.name,
            product.c.uri,
            product.c.filetype,
            product.c.obsnum,
            product.c.size.label("listed"),
            product.c.facts,
        )
        .add_columns(keywords.c.cards, keywords.c.revision.label("cards_revision"))
        .join(product, product.c.id == file.c.product_id)
        .outerjoin(keywords, keywords.c.product_id == product.c.id)
        .where(*part)
        .order_by(file.c.path)
    )
    pairs = _main_pairs(connection, part)
    versions = _versions(connection, part)
    kept = _kept_pictures(connection, part)
    return tuple(
        _page_file(row, proposal, pairs.get(row.product_id), versions.get(row.product_id, []), kept)
        for row in connection.execute(query)
    )


def _versions(connection: Connection, part: tuple[Any, ...]) -> dict[int, list[Any]]:
    """Return the former contents of products, newest first."""
    version, product, file = tables.version, tables.product, tables.file
    query = (
        select(version)
        .join(product, product.c.id == version.c.product_id)
        .join(file, file.c.product_id == product.c.id)
        .where(*part)
        .distinct()
        .order_by(version.c.product_id, version.c.revision.desc())
    )
    found: dict[int, list[Any]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.product_id].append(row)
    return found


def _kept_pictures(connection: Connection, part: tuple[Any, ...]) -> dict[int, FormerPicture]:
    """Return the newest former picture of each file of which one is kept."""
    replaced, product, file = tables.replaced, tables.product, tables.file
    query = (
        select(replaced.c.file_id, replaced.c.revision, replaced.c.kept_as)
        .join(file, file.c.id == replaced.c.file_id)
        .join(product, product.c.id == file.c.product_id)
        .where(*part, replaced.c.kept_as.is_not(None))
        .order_by(replaced.c.file_id, replaced.c.revision)
    )
    return {
        row.file_id: FormerPicture(path=row.kept_as, revision=row.revision)
        for row in connection.execute(query)
        if row.kept_as.endswith(_PICTURES)
    }


def _main_pairs(connection: Connection, part: tuple[Any, ...]) -> dict[int, Any]:
    """Return the listing row that speaks best of each product: its own observation's, lowest parent."""
    listing, product, file = tables.listing, tables.product, tables.file
    query = (
        select(listing, product.c.name)
        .join(product, product.c.id == listing.c.product_id)
        .join(file, file.c.product_id == product.c.id)
        .where(*part)
        .distinct()
        .order_by(listing.c.product_id, listing.c.parent_obsid, listing.c.obsid)
    )
    best: dict[int, Any] = {}
    for row in connection.execute(query):
        other = best.setdefault(row.product_id, row)
        if _is_own(row) and not _is_own(other):
            best[row.product_id] = row
    return best


def _is_own(row: Any) -> bool:
    """The same question as `core.evidence.is_own_row`, of a row of the database."""
    return bool(row.name.startswith(row.obs_id + "_"))


def _page_file(
    row: Any, proposal: int, pair: Any, versions: list[Any], kept: Mapping[int, FormerPicture]
) -> PageFile:
    has_copy = row.state in tables.HAS_COPY
    fresh = row.cards_revision is not None and row.cards_revision == row.revision
    picture, thumbnail = _pictures(row, proposal) if has_copy else (None, None)
    return PageFile(
        name=row.name,
        path=row.path,
        uri=row.uri,
        filetype=row.filetype,
        obs_id=pair.obs_id if pair is not None else "",
        obsid=pair.obsid if pair is not None else None,
        parent_obsid=pair.parent_obsid if pair is not None else None,
        obsnum=row.obsnum,
        calib_level=pair.calib_level if pair is not None else None,
        product_type=pair.product_type if pair is not None else None,
        size=row.size if has_copy else row.listed,
        state=FileState(row.state),
        reason=row.reason or row.last_error,
        revision=row.revision or 1,
        reprocessed=_reprocessing(versions[0], row.facts or {}, pair) if versions else None,
        damage=row.damage,
        changed_at=row.changed_at,
        thumbnail=thumbnail,
        picture=picture,
        former_picture=_former_picture(row, proposal, kept) if picture else None,
        keywords=(row.cards or {}) if fresh else {},
        sha256=row.sha256,
        note=row.note,
        versions=tuple(_version(entry) for entry in versions),
    )


def _pictures(row: Any, proposal: int) -> tuple[str | None, str | None]:
    """Return where the picture of a copy is, and its thumbnail; a FITS file has those made of it."""
    mark = read_mark(row.thumbnail)
    fresh = mark is not None and mark.revision == row.revision
    if row.name.endswith(_PICTURES):
        return row.path, thumbnail_path(row.path) if fresh else None
    if not fresh:
        return None, None
    path = f"{preview_folder(proposal)}/{quicklook_name(row.name)}"
    return path, thumbnail_path(path)


def _former_picture(row: Any, proposal: int, kept: Mapping[int, FormerPicture]) -> FormerPicture | None:
    if row.name.endswith(_PICTURES):
        return kept.get(row.id)
    mark = read_mark(row.thumbnail)
    if mark is None or mark.former is None:
        return None
    path = f"{preview_folder(proposal)}/{former_quicklook_name(row.name, mark.former)}"
    return FormerPicture(path=path, revision=mark.former)


def _version(row: Any) -> FormerVersion:
    facts = row.facts or {}
    return FormerVersion(
        revision=row.revision,
        size=row.size,
        pipeline=_word(facts.get(f"{_KEYWORDS}.cal_ver")) or row.prvversion,
        context=_word(facts.get(f"{_KEYWORDS}.crds_ctx")),
        began_at=row.began_at,
        ended_at=row.ended_at,
        why=row.why,
    )


def _reprocessing(former: Any, facts: Mapping[str, object], pair: Any) -> Reprocessing:
    """What is stated of the last two contents; the version of the pipeline by either service."""
    before = former.facts or {}
    pipeline = (
        _word(before.get(f"{_KEYWORDS}.cal_ver")) or former.prvversion,
        _word(facts.get(f"{_KEYWORDS}.cal_ver")) or (pair.prvversion if pair is not None else None),
    )
    context = f"{_KEYWORDS}.crds_ctx"
    return Reprocessing(
        at=former.ended_at,
        pipeline=pipeline,
        context=(_word(before.get(context)), _word(facts.get(context))),
    )


def _word(value: object) -> str | None:
    return None if value is None else str(value)
