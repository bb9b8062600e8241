"""Who observes what with which instrument in the demo archive: proposals, targets and modes."""

from __future__ import annotations

from dataclasses import replace

from jwstwatch.demo.model import Mode, Proposal, Target

SURVEY = Proposal(
    number=1345,
    title="A Demonstration Survey of Faint Galaxies",
    principal_investigator="Lindqvist, Astrid",
    category="ERS",
)
TRANSITS = Proposal(
    number=1366,
    title="A Demonstration of Transit Spectroscopy & Its Long Time Series of a Warm, Rather Ordinary Planet",
    principal_investigator="Okonkwo, Chidi B.",
    category="ERS",
)
GUIDERS = Proposal(
    number=1410,
    title="FGS Demonstration Images",
    principal_investigator="Marchetti, Lucia",
    category="COM",
)
NEBULA = Proposal(
    number=2733,
    title="A Planetary Nebula, for Show",
    principal_investigator="Haraldsen, Jon",
    category="COM",
)
DEEP = Proposal(
    number=5224,
    title="Spectra of Luminous Demonstration Galaxies at z>10",
    principal_investigator="Sørbø, Ingrid",
    category="GO",
)

FIELD = Target(name="DEMO-FIELD-1", ra=214.8252, dec=52.8251, classification="Galaxy; Field galaxies")
PLANET = Target(
    name="DEMO-WARM-PLANET", ra=217.3267, dec=-3.4445, classification="Star; Exoplanets", scene="star"
)
CLUSTER = Target(name="DEMO CLUSTER", ra=80.4875, dec=-69.4975, classification="Stellar cluster")
RING = Target(
    name="NGC-DEMO", ra=151.7551, dec=-40.4374, classification="ISM; Planetary nebulae", scene="nebula"
)
SHUTTERS = Target(name="demo_cosmos_pt1", ra=150.1150, dec=2.2173)
SPIRAL = Target(
    name="DEMO-SPIRAL", ra=24.1740, dec=15.7836, classification="Galaxy; Spiral galaxies", scene="galaxy"
)

IMAGING = Mode(
    instrument_name="NIRCAM/IMAGE",
    exp_type="NRC_IMAGE",
    template="NIRCam Imaging",
    kind="image",
    exposure_suffixes=("uncal", "rate", "cal", "i2d"),
    association="image2",
    level3_suffixes=("i2d", "segm", "cat"),
    level3_association="image3",
)
MIRI_IMAGING = replace(
    IMAGING,
    instrument_name="MIRI/IMAGE",
    exp_type="MIR_IMAGE",
    template="MIRI Imaging",
    readpatt="FASTR1",
)
FGS_IMAGING = replace(
    IMAGING,
    instrument_name="FGS/FGS1",
    exp_type="FGS_IMAGE",
    template="FGS External Calibration",
    exposure_suffixes=("uncal", "trapsfilled", "rate", "cal"),
    level3_suffixes=(),
    level3_association="",
    readpatt="FGS",
)
MULTI_OBJECT = Mode(
    instrument_name="NIRSPEC/MSA",
    exp_type="NRS_MSASPEC",
    template="NIRSpec MultiObject Spectroscopy",
    kind="spectrum",
    exposure_suffixes=("uncal", "rate", "rateints", "cal", "s2d", "x1d"),
    association="spec2",
    level3_suffixes=("crf", "s2d", "x1d"),
    level3_association="spec3",
    frame="",
    shape=(96, 192),
    readpatt="NRSIRS2",
    picture="spectra",
)
SLITLESS_FIELD = replace(
    MULTI_OBJECT,
    instrument_name="NIRISS/WFSS",
    exp_type="NIS_WFSS",
    template="NIRISS Wide Field Slitless Spectroscopy",
    exposure_suffixes=("uncal", "rate", "cal", "x1d"),
    level3_suffixes=("x1d",),
    shape=(128, 128),
    readpatt="NIS",
)
GRISM = replace(
    SLITLESS_FIELD,
    instrument_name="NIRCAM/GRISM",
    exp_type="NRC_WFSS",
    template="NIRCam Wide Field Slitless Spectroscopy",
    readpatt="SHALLOW4",
)
SOSS = Mode(
    instrument_name="NIRISS/SOSS",
    exp_type="NIS_SOSS",
    template="NIRISS Single-Object Slitless Spectroscopy",
    kind="spectrum",
    exposure_suffixes=("uncal", "rateints", "calints", "x1dints"),
    association="tso-spec2",
    level3_suffixes=("x1dints", "whtlt"),
    level3_association="tso3",
    frame="crfints",
    shape=(64, 192),
    readpatt="NISRAPID",
    subarray="SUBSTRIP256",
    picture="trace",
)
PRISM_SERIES = replace(
    SOSS,
    instrument_name="MIRI/SLITLESS",
    exp_type="MIR_LRS-SLITLESS",
    template="MIRI Low Resolution Spectroscopy",
    shape=(160, 72),
    readpatt="FASTR1",
    subarray="SLITLESSPRISM",
)
INTEGRAL_FIELD = Mode(
    instrument_name="MIRI/IFU",
    exp_type="MIR_MRS",
    template="MIRI Medium Resolution Spectroscopy",
    kind="spectrum",
    exposure_suffixes=("uncal", "rate", "cal", "s3d", "x1d"),
    association="spec2",
    level3_suffixes=("s3d", "x1d"),
    level3_association="spec3",
    readpatt="FASTR1",
    picture="slices",
)
CORONAGRAPHY = Mode(
    instrument_name="NIRCAM/CORON",
    exp_type="NRC_CORON",
    template="NIRCam Coronagraphic Imaging",
    kind="image",
    exposure_suffixes=("uncal", "rateints", "calints"),
    association="image2",
    level3_suffixes=("i2d", "psfstack", "psfalign", "psfsub"),
    level3_association="coron3",
    frame="crfints",
    shape=(96, 96),
    readpatt="RAPID",
    subarray="SUB320A335R",
)
