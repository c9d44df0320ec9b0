"""What a scenario is played with: the rulebook of the directory, as far as the scenario takes it."""

from __future__ import annotations

from msgspec.structs import replace

from quell.config.scenario import Scenario
from quell.model.playbook import Measure, Place, Playbook
from quell.model.rulebook import Rulebook
from quell.model.topology import Dependency, Entity


def staged(rulebook: Rulebook, scenario: Scenario) -> Rulebook:
    """The rulebook with the scenario's choice of playbooks and rules, its graph, and its answers for measures.

    A measure that is faked is asked for under its own name, and its answer is its value. Playbooks that are new at
    their commit are not made to wait for a person.
    """

    def counts(place: Place) -> bool:
        return scenario.rules is None or place.file in scenario.rules

    triage = replace(rulebook.triage, rules=tuple(rule for rule in rulebook.triage.rules if counts(rule.place)))
    return replace(
        rulebook,
        map=tuple(rule for rule in rulebook.map if counts(rule.place)),
        mute=tuple(rule for rule in rulebook.mute if counts(rule.place)),
        inhibit=tuple(rule for rule in rulebook.inhibit if counts(rule.place)),
        windows=tuple(rule for rule in rulebook.windows if counts(rule.place)),
        freezes=tuple(rule for rule in rulebook.freezes if counts(rule.place)),
        detect=tuple(
            replace(rule, on=True)
            for rule in rulebook.detect
            if counts(rule.place) and (rule.on if scenario.detect is None else rule.name in scenario.detect)
        ),
        triage=triage,
        entities=_entities(rulebook, scenario),
        dependencies=_dependencies(rulebook, scenario),
        playbooks=tuple(_playbooks(rulebook, scenario)),
        caps=replace(rulebook.caps, first_runs_propose=0),
    )


def _playbooks(rulebook: Rulebook, scenario: Scenario) -> list[Playbook]:
    chosen = [one for one in rulebook.playbooks if scenario.playbooks is None or one.name in scenario.playbooks]
    return [
        replace(one, mode=scenario.mode or one.mode, measures=tuple(_measured(each, scenario) for each in one.measures))
        for one in chosen
    ]


def _measured(measure: Measure, scenario: Scenario) -> Measure:
    return replace(measure, do=measure.name, value="result.value") if measure.name in scenario.fakes else measure


def _entities(rulebook: Rulebook, scenario: Scenario) -> tuple[Entity, ...]:
    found = {entity.entity: entity for entity in rulebook.entities}
    for entity in scenario.entities:
        known = found.get(entity.entity)
        bare = entity == Entity(entity=entity.entity, sources=entity.sources)
        found[entity.entity] = known if known is not None and bare else entity
    return tuple(found.values())


def _dependencies(rulebook: Rulebook, scenario: Scenario) -> tuple[Dependency, ...]:
    found = {(edge.from_, edge.to): edge for edge in rulebook.dependencies}
    found |= {(edge.from_, edge.to): edge for edge in scenario.dependencies}
    return tuple(found.values())
