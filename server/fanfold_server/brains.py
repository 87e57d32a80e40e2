"""Who plans, who works and who writes: rules, models, a function of the caller's own, or a host."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from fanfold_server.dispatch.dispatcher import Hold
from fanfold_server.minds import Mind
from fanfold_server.planning import ModelPlanner, Planner, Survey
from fanfold_server.records import Plan, Task
from fanfold_server.runs import run_of
from fanfold_server.store import WithoutText
from fanfold_server.synthesis import Desk, ModelComposer
from fanfold_workers.accounts import Account
from fanfold_workers.agent import AgentWorker
from fanfold_workers.aside import Aside
from fanfold_workers.contract import Subtask
from fanfold_workers.errors import CannotDoError
from fanfold_workers.hedging import Hedges
from fanfold_workers.rules import RulesWorker
from fanfold_workers.tools.audit import Audit
from fanfold_workers.tools.roots import Root
from fanfold_workers.tools.servers import SEPARATOR, Servers
from fanfold_workers.tools.toolbox import RemoteTool, Runner, Tool
from fanfold_workers.work import Crew, Worker, doer

Compose = Literal["", "host", "rules", "model"]
"""Who writes a report; "" leaves it to what there is."""


@dataclass(slots=True)
class Brains:
    """Everybody that an orchestrator can ask, and who is asked for what.

    Rules do what they can for nothing; models do the rest where there are any; what nobody here accepts waits for a
    host's own sub-agents.

    Attributes:
        roots, tools: what workers may be allowed.
        aside: where blocking work runs.
        runner: runs the tools instead, if there is one.
        servers: other MCP servers, whose tools workers may be allowed.
        mind: fanfold's own models; None if there are none.
        own: a worker of the caller's own, who then does everything.
        planner: a planner of the caller's own.
        audit: hears of each call of a tool, if anybody should.
        worker: who does subtasks.
        hedges: how long calls of other servers' tools take, over all runs.
    """

    roots: Mapping[str, Root]
    tools: Mapping[str, Tool[Any]]
    aside: Aside
    runner: Runner | None
    servers: Servers
    mind: Mind | None
    own: Worker | None
    planner: Planner | None
    audit: Audit | None = None
    worker: Worker = field(init=False)
    hedges: Hedges = field(default_factory=Hedges, init=False)

    def __post_init__(self) -> None:
        rules = RulesWorker(self.tools, self.roots, self.aside, self.runner, self.audit)
        self.worker = self.own or (Crew((rules, self._agent(self.mind))) if self.mind else rules)

    def _agent(self, mind: Mind) -> AgentWorker:
        return AgentWorker(
            mind.model,
            mind.worker,
            mind.journal,
            self.tools,
            self.roots,
            mind.workers_purse,
            web=mind.minds.web,
            aside=self.aside,
            runner=self.runner,
            audit=self.audit,
            hedges=self.hedges,
        )

    # -- planning -------------------------------------------------------------------------------------------------

    @property
    def takes_any(self) -> bool:
        """Whether somebody here takes subtasks that name no checks."""
        return self.own is not None or self.mind is not None

    @property
    def paid(self) -> Mind | None:
        """The models that do the subtasks, if models do them."""
        return self.mind if self.own is None else None

    def thinks(self, task: Task) -> bool:
        """Whether the lead model plans this task: nobody else is asked to, and rules are not enough."""
        return self.mind is not None and not (self.planner or task.subtasks or task.checks)

    def unpriced(self, plan: Plan) -> bool:
        """Whether models that cost money would do some of a plan whose estimate knows of none."""
        card = self.paid.worker if self.paid else None
        costs = card is not None and max(card.price.input, card.price.output) > 0
        minds = (subtask for subtask in plan.subtasks if not subtask.checks and subtask.id not in plan.kept)
        return costs and not plan.estimate.usd_high and any(minds)

    async def remote(self, task: Task) -> Mapping[str, RemoteTool]:
        """Tools of other servers that a plan of this task may name. The servers are started for it."""
        named = any(SEPARATOR in name for draft in task.subtasks for name in draft.tools)
        return await self._listed() if named or self.thinks(task) else {}

    async def lead(
        self, task: Task, plan_id: str, survey: Survey, remote: Mapping[str, RemoteTool]
    ) -> Planner | None:
        """Who splits this task; None for the rules.

        Raises:
            KeyRefusedError: if it takes a model and the key is missing or refused.
        """
        if not (self.mind and self.thinks(task)):
            return self.planner
        await self.mind.ready()
        run = run_of(plan_id)
        key, purse, web = f"{run}/calls/plan", self.mind.purse(run), self.mind.minds.web is not None
        return ModelPlanner(
            self.mind.model, self.mind.lead, key, purse, survey, self.tools, remote, web=web, aside=self.aside
        )

    # -- working --------------------------------------------------------------------------------------------------

    async def ready(self, plan: Plan, max_usd: float | None) -> None:
        """Hold the plan's run to its limit, and see that its models can be asked, before anything starts.

        Raises:
            InputError: if the limit is no amount of money.
            KeyRefusedError: if it takes a model and the key is missing or refused.
        """
        if not self.mind:
            return
        await self.mind.lower(run_of(plan.id), max_usd)
        if self.own is None and any(not subtask.checks for subtask in plan.subtasks):
            await self.mind.ready()

    def hold(self, run: str) -> Hold:
        """Says why a subtask of the run may not start: no money is left for another worker that is a model."""

        async def why(subtask: Subtask) -> str:
            paid = self.paid and isinstance(doer(self.worker, subtask), AgentWorker)
            return await self.paid.edge(run) if self.paid and paid else ""

        return why

    async def workers(self, plan: Plan, *, hedge: bool = True) -> Worker:
        """Who does this plan. Models' workers are all shown the tools of other servers that any of them may call."""
        if not (isinstance(self.worker, Crew) and self.mind):
            return self.worker
        named = {name for subtask in plan.subtasks for name in subtask.scope.tools}
        remote: Mapping[str, RemoteTool] = {}
        if any(subtask.scope.servers for subtask in plan.subtasks):
            remote = await self._listed()
        offered = tuple(sorted(named & remote.keys()))
        agent = replace(self._agent(self.mind), remote=remote, offered=offered, hedge=hedge)
        return Crew((self.worker.members[0], agent))

    async def _listed(self) -> Mapping[str, RemoteTool]:
        return await self.servers.tools() if self.servers.declared else {}

    # -- writing --------------------------------------------------------------------------------------------------

    def writer(self, asked: Compose) -> Compose:
        """Who writes: whoever is asked for, else the model if there is one, else the rules.

        Raises:
            CannotDoError: if a model is asked for and there is none.
        """
        if asked == "model" and not self.mind:
            msg = "There is no model here to write."
            remedy = 'Set ANTHROPIC_API_KEY and start fanfold again, or ask for compose="rules" or "host".'
            raise CannotDoError(msg, field="compose", remedy=remedy)
        return asked or ("model" if self.mind else "rules")

    async def desk(self, who: Compose, run: str, account: str) -> Desk | None:
        """Where synthesis asks its models; None where rules do all of it. What they cost is charged to `account` too.

        Raises:
            KeyRefusedError: if the key is missing or refused.
        """
        if who == "rules" or not (mind := self.mind):
            return None
        await mind.ready()
        await mind.lower(run, None)
        kept = None if isinstance(mind.journal, WithoutText) else mind.journal
        purse = (*mind.purse(run), Account(account))
        return Desk(mind.model, mind.lead, mind.worker, f"{run}/calls", purse, kept)

    def composer(self, who: Compose, desk: Desk | None) -> ModelComposer | None:
        """The composer with a mind; None where rules write, or a host."""
        return ModelComposer(desk, self.aside) if who == "model" and desk else None
