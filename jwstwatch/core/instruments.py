"""The instruments of JWST: their detectors, their observing modes, and how the archive is asked for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

DETECTORS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "nircam": (
            *("nrca1", "nrca2", "nrca3", "nrca4", "nrcalong"),
            *("nrcb1", "nrcb2", "nrcb3", "nrcb4", "nrcblong"),
        ),
        "nirspec": ("nrs1", "nrs2"),
        "niriss": ("nis",),
        "miri": ("mirimage", "mirifulong", "mirifushort"),
        "fgs": ("guider1", "guider2"),
    }
)
"""The detectors of each instrument as they are written in file names."""

INSTRUMENTS: tuple[str, ...] = tuple(DETECTORS)

INSTRUMENT_OF: Mapping[str, str] = MappingProxyType(
    {detector: instrument for instrument, detectors in DETECTORS.items() for detector in detectors}
)
"""The instrument that each detector belongs to."""

OBSMODES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "nircam": ("IMAGE", "CORON", "GRISM", "WFSS", "TARGACQ"),
        "nirspec": ("IMAGE", "IFU", "MSA", "SLIT", "BOTS"),
        "niriss": ("IMAGE", "AMI", "SOSS", "WFSS"),
        "miri": ("IMAGE", "CORON", "IFU", "SLIT", "SLITLESS", "TARGACQ"),
        "fgs": ("FGS1", "FGS2"),
    }
)
"""The modes that may follow the instrument in CAOM's `instrument_name`, as in NIRCAM/IMAGE."""

UNLISTED_MODES: Mapping[tuple[str, str], str] = MappingProxyType(
    {("nircam", "WFSS"): "GRISM", ("nirspec", "BOTS"): "SLIT"}
)
"""Modes that jwst_mast_query accepts and no archive listing holds, with where such data are found."""


def _detector_words() -> dict[str, str]:
    words = {detector: detector for detector in INSTRUMENT_OF}
    for module in "ab":
        long_wave = f"nrc{module}long"
        words |= {f"{module}{number}": f"nrc{module}{number}" for number in range(1, 5)}
        words |= dict.fromkeys((f"{module}5", f"{module}long", f"nrc{module}5"), long_wave)
    return words


_DETECTOR_WORDS: Mapping[str, str] = MappingProxyType(_detector_words())


def normalise_detectors(words: Iterable[str]) -> frozenset[str]:
    """Return the detectors that `sca` words mean (`a5` = `along` = `nrcalong`), in any case of letters.

    Raises ValueError for a word that is no detector.
    """
    found = set()
    for word in words:
        plain = word.strip().lower()
        if plain not in _DETECTOR_WORDS:
            raise ValueError(
                f"{word!r} is no detector{_suggest(plain, _DETECTOR_WORDS)}; "
                "known are a1 to a5, along, b1 to b5, blong, nrs1, nrs2, nis, mirimage, mirifulong, "
                "mirifushort, guider1 and guider2"
            )
        found.add(_DETECTOR_WORDS[plain])
    return frozenset(found)


def normalise_instruments(words: Iterable[str]) -> tuple[str, ...]:
    """Return the instruments that the words name, in lower case and each once; `all` means every one.

    Raises ValueError for a word that is no instrument.
    """
    found: dict[str, None] = {}
    for word in words:
        plain = word.strip().lower()
        if plain == "all":
            return INSTRUMENTS
        if plain not in DETECTORS:
            suggestion = _suggest(plain, INSTRUMENTS)
            raise ValueError(
                f"{word!r} is no instrument of JWST{suggestion}; known are {', '.join(INSTRUMENTS)}, all"
            )
        found[plain] = None
    return tuple(found)


def instrument_patterns(
    instruments: Sequence[str], obsmodes: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the `instrument_name` patterns to ask the archive for, and warnings about the modes.

    Without modes a pattern is `NIRCAM*`, which finds `NIRCAM` as well as `NIRCAM/IMAGE`. A mode that none of
    the instruments has is ignored; where none is left, every mode is asked for. An instrument that has none
    of the modes while another has one is left out. Raises ValueError for an unknown instrument.
    """
    names = normalise_instruments(instruments)
    modes = tuple(dict.fromkeys(mode.strip().upper() for mode in obsmodes if mode.strip()))
    valid = [mode for mode in modes if any(mode in OBSMODES[name] for name in names)]
    warnings = [_invalid_mode(mode, names) for mode in modes if mode not in valid]
    if not valid:
        if modes:
            warnings.append("No valid mode is left, so every mode is asked for.")
        return tuple(f"{name.upper()}*" for name in names), tuple(warnings)
    patterns: list[str] = []
    for name in names:
        own = [mode for mode in valid if mode in OBSMODES[name]]
        if not own:
            warnings.append(
                f"{name.upper()} has none of the modes {', '.join(valid)} and is left out; "
                f"its modes are {', '.join(OBSMODES[name])}."
            )
        patterns += [_mode_pattern(name, mode) for mode in own]
        warnings += [
            f"{name.upper()}/{mode} has been seen in no listing of the archive; such data are found under "
            f"{name.upper()}/{UNLISTED_MODES[name, mode]}. It is asked for all the same."
            for mode in own
            if (name, mode) in UNLISTED_MODES
        ]
    return tuple(patterns), tuple(warnings)


def _mode_pattern(instrument: str, mode: str) -> str:
    # MIRI/SLIT* would bring MIRI/SLITLESS too.
    ambiguous = any(other != mode and other.startswith(mode) for other in OBSMODES[instrument])
    return f"{instrument.upper()}/{mode}" + ("" if ambiguous else "*")


def _invalid_mode(mode: str, instruments: Sequence[str]) -> str:
    known = "; ".join(f"{name.upper()}: {', '.join(OBSMODES[name])}" for name in instruments)
    return f"{mode} is no mode of {', '.join(name.upper() for name in instruments)} and is ignored ({known})."


def _suggest(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
