"""``everfit.Client``: the models of a server, asked as if they were here."""

from __future__ import annotations

import os
import ssl
from typing import Any

from everfit.errors import UsageError
from everfit.faces.client.connection import Call, Connection
from everfit.faces.client.remote import RemoteModel
from everfit.faces.shown import Score
from everfit.serve.lists.listed import Listed

TOKEN = "EVERFIT_TOKEN"  # noqa: S105 - the name of a variable, not a token


class Client:
    """A server's models; with ``model`` it answers as that model does, see :class:`RemoteModel`.

    Calls keep their connections and may come from many threads. What may be sent twice without
    harm, and what a server that is busy refused, is sent again with growing pauses; a prediction
    whose answer got lost is not, because the server may have recorded it.

    Parameters
    ----------
    url : of the server, such as ``http://127.0.0.1:8321``
    token : sent as a bearer token; ``EVERFIT_TOKEN`` of the environment when it is not given
    model, version : the model that is meant, and a version other than its champion
    timeout : seconds for one call with all its retries
    retries : how often a call is sent again
    tls : a context with another certificate authority than the system's

    Raises
    ------
    UsageError : the URL or the token cannot be used

    Examples
    --------
    >>> Client("http://127.0.0.1:8321", model="churn")
    <everfit.Client http://127.0.0.1:8321 model 'churn'>
    """

    def __init__(
        self, url: str, token: str | None = None, model: str | None = None, *,
        version: str | None = None, timeout: float = 30.0, retries: int = 3,
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        if not timeout > 0 or retries < 0:
            raise UsageError(
                "the timeout or the number of retries cannot be used",
                got=f"timeout={timeout}, retries={retries}",
                expected="seconds above 0, and 0 or more retries",
            )
        given = token if token is not None else os.environ.get(TOKEN)
        self._connection = Connection(url, given, timeout_s=timeout, retries=retries, tls=tls)
        self._model = RemoteModel(self._connection, model, version) if model else None

    def models(self) -> list[str]:
        """Names of all models of the server, sorted."""
        found = self._connection.send(Call("GET", "/models", safe=True)).json()
        return [str(one["name"]) for one in found["models"]]

    def model(self, name: str, version: str | None = None) -> RemoteModel:
        """One model, and of it one version such as ``"v2"``; nothing is asked yet."""
        return RemoteModel(self._connection, name, version)

    @property
    def version(self) -> str:
        """See :attr:`RemoteModel.version`."""
        return self._one.version

    @property
    def score(self) -> Score:
        """See :attr:`RemoteModel.score`."""
        return self._one.score

    @property
    def columns(self) -> tuple[str, ...]:
        """See :attr:`RemoteModel.columns`."""
        return self._one.columns

    def predict(self, data: Any) -> Any:
        """See :meth:`RemoteModel.predict`."""
        return self._one.predict(data)

    def predict_proba(self, data: Any) -> Any:
        """See :meth:`RemoteModel.predict_proba`."""
        return self._one.predict_proba(data)

    def answers(self, data: Any, *, explain: bool = False) -> Any:
        """See :meth:`RemoteModel.answers`."""
        return self._one.answers(data, explain=explain)

    def outcomes(self, told: Any) -> dict[str, Any]:
        """See :meth:`RemoteModel.outcomes`."""
        return self._one.outcomes(told)

    def recommend(self, user: Any = None, **wanted: Any) -> Listed:
        """See :meth:`RemoteModel.recommend`."""
        return self._one.recommend(user, **wanted)

    def similar(self, item: Any, **wanted: Any) -> Listed:
        """See :meth:`RemoteModel.similar`."""
        return self._one.similar(item, **wanted)

    def because(self, item: Any, user: Any = None, **who: Any) -> list[tuple[Any, float]]:
        """See :meth:`RemoteModel.because`."""
        return self._one.because(item, user, **who)

    def interactions(self, told: Any) -> dict[str, int]:
        """See :meth:`RemoteModel.interactions`."""
        return self._one.interactions(told)

    def why(self, *, last: int | None = None) -> str:
        """See :meth:`RemoteModel.why`."""
        return self._one.why(last=last)

    def card(self) -> str:
        """See :meth:`RemoteModel.card`."""
        return self._one.card()

    def close(self) -> None:
        """Let go of all connections; the next call makes new ones."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<everfit.Client {self._connection.url}>" if self._model is None else repr(self._one)
        )

    @property
    def _one(self) -> RemoteModel:
        if self._model is None:
            raise UsageError(
                "no model is named", got="a client of all models",
                expected="Client(url, model=...)", do='client.model("churn").predict(...)',
            )  # fmt: skip
        return self._model
