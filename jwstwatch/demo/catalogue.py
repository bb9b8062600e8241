"""The demo archive itself: what it lists and holds, and the ways in which it changes while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from threading import RLock

from jwstwatch.demo.content import ContentCache, Stored
from jwstwatch.demo.keywords import keyword_row, keyword_service
from jwstwatch.demo.model import URI_PREFIX, ArchivedObservation, ArchivedProduct
from jwstwatch.demo.rows import Row, observation_row, product_row

_MADE_FOR_CHECKSUMS = 64 << 20
"""Bytes of plain content that are made in order to state checksums."""


class Catalogue:
    """Observations and products of an archive; every method may be called from any thread.

    Content is made when it is first asked for (also by a listing, which states true sizes), and is a
    pure function of the seed, the name and the revision.
    """

    def __init__(
        self,
        observations: Iterable[ArchivedObservation],
        products: Iterable[ArchivedProduct],
        *,
        seed: int = 0,
    ) -> None:
        self.seed = seed
        self._lock = RLock()
        self._observations: dict[str, ArchivedObservation] = {}
        self._by_obsid: dict[int, str] = {}
        self._products: dict[str, ArchivedProduct] = {}
        self._held: dict[str, list[str]] = {}
        self._contents = ContentCache(seed=seed)
        self._keywords_lag = False
        self._keywords_of: dict[str, ArchivedProduct] = {}
        """Former contents that the keyword services still speak of."""
        self._observation_rows: list[Row] | None = None
        for observation in observations:
            self._put_observation(observation)
        for product in products:
            self._put_product(product)

    # -- what is there

    @property
    def observations(self) -> tuple[ArchivedObservation, ...]:
        """Every observation, in the order of arrival."""
        with self._lock:
            return tuple(self._observations.values())

    @property
    def products(self) -> tuple[ArchivedProduct, ...]:
        """Every product that is listed, in the order of arrival."""
        with self._lock:
            return tuple(product for product in self._products.values() if product.listed)

    @property
    def uris(self) -> tuple[str, ...]:
        """The data URI of every listed product."""
        return tuple(product.uri for product in self.products)

    def observation(self, obs_id: str) -> ArchivedObservation:
        """Return one observation, or raise `KeyError`."""
        with self._lock:
            return self._observations[obs_id]

    def product(self, uri: str) -> ArchivedProduct:
        """Return one product by data URI or plain name, or raise `KeyError` (also when it was withdrawn)."""
        with self._lock:
            product = self._products[_as_uri(uri)]
        if not product.listed:
            raise KeyError(uri)
        return product

    def read(self, uri: str) -> Stored:
        """Return what the archive sends for `uri`, or raise `KeyError`."""
        with self._lock:
            product = self.product(uri)
            return self._contents.read(product, self._observations[product.holders[0]])

    def size(self, uri: str) -> int:
        """Return the true size of a product in bytes."""
        with self._lock:
            product = self.product(uri)
            if product.plain_size is not None:
                return product.plain_size
            return self._contents.size_and_md5(product, self._observations[product.holders[0]])[0]

    def total_size(self) -> int:
        """Return the bytes of all listed products (this makes all content)."""
        return sum(self.size(uri) for uri in self.uris)

    def exclusive(self, uri: str) -> bool:
        """True where every observation that holds the product is under exclusive access."""
        product = self.product(uri)
        with self._lock:
            return all(self._observations[holder].exclusive for holder in product.holders)

    def observation_rows(self) -> list[Row]:
        """Return the rows of `Mast.Caom.Filtered` (shared: read only)."""
        with self._lock:
            if self._observation_rows is None:
                self._observation_rows = [
                    observation_row(observation, self._own_products(observation))
                    for observation in self._observations.values()
                ]
            return self._observation_rows

    def product_rows(self, obsids: Iterable[int]) -> list[Row]:
        """Return the rows of `Mast.Caom.Products`: each product once per holder per asked observation."""
        rows = []
        with self._lock:
            for obsid in dict.fromkeys(obsids):
                obs_id = self._by_obsid.get(obsid)
                if obs_id is None:
                    continue
                parent = self._observations[obs_id]
                for holder in (obs_id, *parent.members):
                    owner = self._observations[holder]
                    rows += [
                        product_row(product, owner, parent=parent, size=self.size(product.uri))
                        for product in self._listed(holder)
                    ]
        return rows

    def keyword_rows(self, service: str, accepts: Callable[[Row], bool]) -> list[Row]:
        """Return the accepted rows of one `Mast.Jwst.Filtered.*` service: one per FITS file.

        `accepts` sees a row without size and checksum, which are costly to know. Of large archives of plain
        products only the first ones' checksums are stated.
        """
        rows = []
        to_make = _MADE_FOR_CHECKSUMS
        with self._lock:
            known = [
                (self._keywords_of.get(product.uri, product), self._observations[product.holders[0]])
                for product in self.products
                if product.extension == "fits"
            ]
        for product, observation in known:
            if keyword_service(product, observation) != service.lower():
                continue
            row = keyword_row(product, observation)
            if not accepts(row):
                continue
            to_make -= product.plain_size or 0
            if to_make < 0:
                row["fileSize"] = product.plain_size
            else:
                with self._lock:
                    row["fileSize"], row["checksum"] = self._contents.size_and_md5(product, observation)
            rows.append(row)
        return rows

    # -- what changes

    def add(self, observation: ArchivedObservation, products: Iterable[ArchivedProduct] = ()) -> None:
        """Add an observation (or replace it) and products."""
        with self._lock:
            self._put_observation(observation)
            for product in products:
                self._put_product(product)

    def add_exposure(self, *, like: str, start: datetime, now: datetime) -> str:
        """Add the next exposure after `like` with the same kinds of files, under the same parents.

        Returns its obs_id.
        """
        with self._lock:
            model = self._observations[like]
            number, obs_id = model.exposure, like
            while obs_id in self._observations:
                number += 1
                obs_id = like.replace(f"_{model.exposure:05d}", f"_{number:05d}", 1)
            obsid = max(self._by_obsid) + 7
            observation = replace(
                model, obs_id=obs_id, obsid=obsid, exposure=number, start=start, processed=now
            )
            self._put_observation(observation)
            for product in [self._products[uri] for uri in self._held[like]]:
                if product.name.startswith(like + "_") and product.listed:
                    name = product.name.replace(like, obs_id, 1)
                    holders = tuple(obs_id if holder == like else holder for holder in product.holders)
                    self._put_product(
                        replace(product, name=name, holders=holders, modified=now, revision=1, padding=0)
                    )
            for parent in [parent for parent in self._observations.values() if like in parent.members]:
                self._put_observation(replace(parent, members=(*parent.members, obs_id)))
            return obs_id

    def reprocess(
        self, uri: str, *, now: datetime, version: str = "1.21.0", grow: int = 0
    ) -> ArchivedProduct:
        """Give a product new bytes and a new pipeline version, and `grow` more units of size.

        A unit is a FITS block of 2,880 bytes, or a byte of any other file. Without it a FITS file (and a
        plain one) keeps its size to the byte; a picture does not, its compression decides.
        """
        with self._lock:
            product = self.product(uri)
            if self._keywords_lag:
                self._keywords_of.setdefault(product.uri, product)
            plain = product.plain_size
            if plain is not None:
                plain += grow * (2880 if product.extension == "fits" else 1)
            return self._put_product(
                replace(
                    product,
                    revision=product.revision + 1,
                    version=version,
                    modified=now,
                    padding=product.padding + (grow if plain is None else 0),
                    plain_size=plain,
                )
            )

    def reprocess_observation(
        self, obs_id: str, *, now: datetime, version: str = "1.21.0", grow: int = 0
    ) -> tuple[str, ...]:
        """Reprocess every file that is the observation's own (`grow` as above); associations get new names.

        Returns the URIs that were reprocessed under the same name.
        """
        changed = []
        with self._lock:
            self._put_observation(replace(self._observations[obs_id], version=version, processed=now))
            for product in list(self._listed(obs_id)):
                if product.name.startswith(obs_id + "_"):
                    changed.append(self.reprocess(product.uri, now=now, version=version, grow=grow).uri)
                elif product.suffix == "asn":
                    first, _stamp, rest = product.name.split("_", 2)
                    self.withdraw(product.uri)
                    name = f"{first}_{now:%Y%m%dt%H%M%S}_{rest}"
                    self._put_product(replace(product, name=name, modified=now, version=version))
        return tuple(changed)

    def lag_keywords(self, lag: bool) -> None:
        """Let the keyword services speak of the contents of today, whatever is reprocessed from now on.

        Without `lag` they catch up.
        """
        with self._lock:
            self._keywords_lag = lag
            if not lag:
                self._keywords_of.clear()

    def withdraw(self, uri: str) -> None:
        """Take a product out of every listing; its download answers 404."""
        with self._lock:
            self._put_product(replace(self.product(uri), listed=False))

    def restore(self, uri: str) -> None:
        """List a withdrawn product again."""
        with self._lock:
            self._put_product(replace(self._products[_as_uri(uri)], listed=True))

    def restate_size(self, uri: str, size: int | None) -> None:
        """Make the listing state another size than the true one (None: the truth again)."""
        with self._lock:
            self._put_product(replace(self.product(uri), stated_size=size))

    def release(self, obs_id: str, *, now: datetime) -> None:
        """End the exclusive access to an observation and all its members, as from a minute ago."""
        with self._lock:
            observation = self._observations[obs_id]
            for name in (obs_id, *observation.members):
                known = self._observations[name]
                released = now - timedelta(minutes=1)
                self._put_observation(replace(known, exclusive=False, release=released))

    # -- inside

    def _put_observation(self, observation: ArchivedObservation) -> None:
        self._observation_rows = None
        self._observations[observation.obs_id] = observation
        self._by_obsid[observation.obsid] = observation.obs_id
        self._held.setdefault(observation.obs_id, [])

    def _put_product(self, product: ArchivedProduct) -> ArchivedProduct:
        if product.uri not in self._products:
            for holder in product.holders:
                self._held[holder].append(product.uri)
        self._products[product.uri] = product
        self._observation_rows = None
        return product

    def _listed(self, obs_id: str) -> Iterable[ArchivedProduct]:
        return (product for uri in self._held[obs_id] if (product := self._products[uri]).listed)

    def _own_products(self, observation: ArchivedObservation) -> list[ArchivedProduct]:
        prefix = observation.obs_id + "_"
        return [product for product in self._listed(observation.obs_id) if product.name.startswith(prefix)]


def _as_uri(name: str) -> str:
    return name if name.startswith("mast:") else URI_PREFIX + name
