"""Configurations: one frozen dataclass a concern, read from YAML strictly and written back."""

from shapegen.config.settings import (
    DataConfig as DataConfig,
)
from shapegen.config.settings import (
    ModelConfig as ModelConfig,
)
from shapegen.config.settings import (
    RunConfig as RunConfig,
)
from shapegen.config.settings import (
    TrainConfig as TrainConfig,
)
from shapegen.config.settings import (
    dump as dump,
)
from shapegen.config.settings import (
    expand as expand,
)
from shapegen.config.settings import (
    load_run as load_run,
)
from shapegen.config.settings import (
    run_from_dict as run_from_dict,
)
from shapegen.config.settings import (
    run_to_dict as run_to_dict,
)
from shapegen.config.strict import from_dict as from_dict
from shapegen.config.strict import nearest as nearest
from shapegen.config.strict import to_dict as to_dict
