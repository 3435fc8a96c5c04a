"""What a store promises, and the names it accepts. Only the loop writes; screens read.

Every implementation must pass ``tests/contracts/test_stores.py``.
"""

from everfit.store.contract.names import model_name as model_name
from everfit.store.contract.names import suggested as suggested
from everfit.store.contract.names import version_number as version_number
from everfit.store.contract.names import work_key as work_key
from everfit.store.contract.reading import Reading as Reading
from everfit.store.contract.records import Alias as Alias
from everfit.store.contract.records import Mirrored as Mirrored
from everfit.store.contract.records import RunHandle as RunHandle
from everfit.store.contract.records import RunnerHandle as RunnerHandle
from everfit.store.contract.records import RunRow as RunRow
from everfit.store.contract.records import RunState as RunState
from everfit.store.contract.records import Seen as Seen
from everfit.store.contract.records import Traffic as Traffic
from everfit.store.contract.writing import Store as Store
