"""The page docs/configuration.md, made from the tables: `python -m jwstwatch.config.reference_page`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Final

from jwstwatch.config.places import CONFIG_VARIABLE, LEGACY_VARIABLE, SERVER_VARIABLE, STATE_VARIABLE
from jwstwatch.config.sections import TOP_KEYS
from jwstwatch.config.settings import FILE_PARAMETERS
from jwstwatch.core.parameter_kinds import Plain
from jwstwatch.core.parameter_table import Group, Specification
from jwstwatch.core.parameters import OUTPUT_VARIABLE, PARAMETERS

_HEADINGS: Final[Mapping[Group, str]] = {
    Group.WHAT: "What to ask for and keep",
    Group.WHEN: "When the observation was made",
    Group.WHERE: "Where files go",
    Group.TABLES: "Tables",
    Group.PAGES: "Web pages",
    Group.SCHEDULE: "Schedule",
}

_TOP: Final = """\
# Configuration

This page is made from the program's own table of parameters; change that, then write the page anew with
`python -m jwstwatch.config.reference_page > docs/configuration.md`.

The configuration is one YAML file, `jwstwatch.yaml`:

```yaml
state: /var/lib/jwstwatch/state.db    # or any SQLAlchemy URL; default: your own state folder
mast:
  connections: 6                      # files at a time
  bandwidth:                          # over all of them; or one rate: 40 MB/s
    - Mon-Fri 08:00-18:00 5 MB/s      # the first line that fits counts
    - 22:00-06:00 unlimited
    - 40 MB/s
  timezone: Europe/Berlin             # of these hours
defaults:                             # for every profile that does not say otherwise
  outrootdir: $JWSTDOWNLOAD_OUTDIR
  makewebpages: true
  every: 6h
profiles:
  ers-1345:                           # a name of your choice
    instrument: nircam
    propID: 1345
    filetypes: [uncal, jpg]
  everything-recent:
    instrument: all
    filetypes: [rate]
    lookbacktime: 3                   # days
    cron: "30 4 * * *"                # instead of every
    timezone: Europe/Berlin
```

`jwstwatch config check` names everything that is wrong with it, line by line; `jwstwatch config show` tells
every value in effect and where it was written.

## Where it is looked for

The first of these that exists is read, and no other:

1. the file named with `--config` (`-c`, `--configfile`);
2. the file that `$JWSTWATCH_CONFIG` names;
3. `jwstwatch.yaml` in the current folder;
4. `$XDG_CONFIG_HOME/jwstwatch/jwstwatch.yaml`, usually `~/.config/jwstwatch/jwstwatch.yaml`;
5. `/etc/jwstwatch/jwstwatch.yaml`.

A one-off `query` or `download` needs none of them.

`--config` and `$JWSTWATCH_CONFIG` also take a configuration file of jwst_mast_query, which is flat: it has no
`profiles`, `defaults`, `mast` or `state` at its top. Such a file stands for one query without a name; the
state and the archive's settings then come from the next file of the list. In it the first of several
proposals counts, and unknown keys are ignored with a warning.

## Which value wins

From the weakest to the strongest: built in, `defaults:` (skipped where an old configuration file is used),
the profile or the old file, what is typed. What is typed always wins, also where it equals the default.

An empty key means "none" where the table below allows that (`empty`, or a list of which none means all), and
is otherwise the same as leaving the key out.
"""

_WRITING: Final = f"""\
## How values are written

- **Several values**: a YAML list, or one text with blanks or commas between them. As options: several words.
- **Proposals**: `1409`, `"01409"` and `01409` are the same. In a file a list means several proposals, and
  `{{1409: [3, 103]}}` one with only some of its observations; as an option that is
  `--propID 1409 3 103`, and it may be repeated.
- **Dates**: MJD or ISO 8601 in UTC. One is exact, `2022-06-06+` a lower and `2022-06-06-` an upper limit, two
  make a range.
- **Durations**: a number and a unit, `90 min`, `6h`, `7d`, `2 weeks`, `1d 12h`. A bare number is refused.
- **Rates and sizes**: a number and a unit, `40 MB/s`, `500 kB/s`, `300 Mbit/s`; `500 GB`, `1.5 TB`.
- **Times of day**: `08:00` or `18:30`, in UTC, with or without quotation marks.
- **True and false**: also yes and no, on and off. As options: `--makewebpages`, or `--makewebpages False`.
- **Environment variables**: `$NAME` and `${{NAME}}` are replaced in every text of the file, `$$` is a dollar
  sign. One that is not set is an error, except `${OUTPUT_VARIABLE}` in `outrootdir`: there the current folder
  takes its place. In the commands of `hooks:` nothing is replaced: `sh -c '...'` reads a variable when it
  runs.
- **Folders and files** in the file are relative to the file's own folder; in an old file and as options, to
  the current one.
- **Anchors and merging**: `&name`, `*name` and `<<:` work; keys at the top that begin with `x-` are a place
  for them.

A MAST token anywhere in the file is an error, see below. The URLs of `notify.to` and `heartbeat` may hold
passwords, best as a variable (`mailto://team:$MAIL_PASSWORD@example.org`): `config show` and messages
show no more of them than the scheme.
"""

_SERVICE: Final = """\
## An example for a service

```yaml
daemon:
  at_once: 2                          # profiles at the same time
  log_format: json
mast:
  token_file: /etc/jwstwatch/token
notify:
  to: [$TEAM_WEBHOOK, "mailto://team:$MAIL_PASSWORD@example.org"]
  when: [new, failures, archive, token]
  digest: 08:00                       # UTC
heartbeat: https://monitor.example.org/ping/jwstwatch
hooks:
  after_observation: /usr/local/bin/reduce --quick
  on_error: sh -c 'logger -t jwstwatch "$JWSTWATCH_PROFILE needs a look"'
  timeout: 10 min
metrics:
  file: /var/lib/node_exporter/jwstwatch.prom
  listen: 127.0.0.1:9177              # this machine alone
```
"""

_TOKENS: Final = """\
## Where the token is looked for

The first of these places that holds a token counts; it is read again at each run, and once more when the
archive refuses it, so that a new token needs no restart:

1. `--token` of `query` and `download` (everybody on the machine can read it in the list of processes);
2. the file that `--token-file` or else `mast.token_file` names: one line, not open to everybody
   (`chmod 0640`);
3. `$MAST_API_TOKEN`;
4. the systemd credential `mast_token` (systemd hands out a changed one at the next start of the service);
5. the keyring, for https://mast.stsci.edu only: `jwstwatch token set`, or what astroquery stored.

A place that cannot be used is a warning, and the next one counts. Public data need no token.
"""

_VARIABLES: Final[Mapping[str, str]] = {
    CONFIG_VARIABLE: "The configuration file.",
    STATE_VARIABLE: "The state, in place of `state`.",
    SERVER_VARIABLE: "The archive, in place of `mast.server`.",
    OUTPUT_VARIABLE: "The output folder, where `outrootdir` is not given or names it.",
    LEGACY_VARIABLE: "An old configuration file for `query` and `download`, where no other file is named.",
    "MAST_API_TOKEN": "The token for data that are not public.",
    "CREDENTIALS_DIRECTORY": "Set by systemd: where the credential `mast_token` lies.",
}


def page() -> str:
    """Return the whole page as Markdown."""
    parts = [_TOP, _WRITING, _file_keys(), _SERVICE, _TOKENS, _environment()]
    parts += [_group(group, heading) for group, heading in _HEADINGS.items()]
    parts.append(_one_off_only())
    return "\n".join(parts)


def _file_keys() -> str:
    rows = [(f"`{name}`", text) for name, text in TOP_KEYS.items()]
    keys = (
        (f"`{path}`", _cell(each.kind.allowed), _written(each), _cell(each.help))
        for path, each in FILE_PARAMETERS.items()
    )
    return (
        "## The file's own keys\n\n"
        + _table(("key", "what it is for"), rows)
        + "\n"
        + _table(("key", "value", "default", "what it does"), keys)
    )


def _environment() -> str:
    rows = ((f"`{name}`", text) for name, text in _VARIABLES.items())
    return "## Environment variables\n\n" + _table(("variable", "what it sets"), rows)


def _group(group: Group, heading: str) -> str:
    rows = (
        (_name(each), _cell(each.kind.allowed), _written(each), _cell(each.help))
        for each in PARAMETERS.values()
        if each.group is group and not each.one_off_only
    )
    return f"## {heading}\n\n" + _table(("parameter", "value", "default", "what it does"), rows)


def _one_off_only() -> str:
    rows = (
        (_name(each), _cell(each.help), _cell(each.one_off_only))
        for each in PARAMETERS.values()
        if each.one_off_only
    )
    text = "Options, and keys of an old configuration file, that a saved profile must not have:\n\n"
    return "## Only for one-off commands\n\n" + text + _table(("option", "what it does", "why"), rows)


def _name(specification: Specification) -> str:
    return f"`{specification.name}`" + (f" (`{specification.short}`)" if specification.short else "")


def _written(specification: Specification) -> str:
    value = specification.kind.write(specification.default)
    if value is None or value == []:
        return "none"
    return _cell(", ".join(f"`{_plain(item)}`" for item in (value if isinstance(value, list) else [value])))


def _plain(value: Plain) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    sys.stdout.write(page())
