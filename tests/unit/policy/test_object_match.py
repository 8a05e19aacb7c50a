"""`spec.match`: which objects a ClusterImagePolicy is about."""

import pytest

from argocd_provenance.oci.reference import Reference
from argocd_provenance.policy.objectmatch import Carrier, LabelDemand, ObjectMatch
from argocd_provenance.policy.select import cover
from unit.policy.builders import DIGEST
from unit.policy.test_cluster_image_policy import KEYLESS, faults, load

DEPLOYMENT = Carrier("apps/v1", "Deployment", (("app", "shop"),))
POD = Carrier("v1", "Pod", (("app", "shop"),))
REFERENCE = Reference.parse("ghcr.io/acme/shop:v1")


class TestMatch:
    @pytest.mark.parametrize(
        ("match", "carrier", "fits"),
        [
            (("apps", "v1", "deployments"), DEPLOYMENT, True),
            (("apps", "*", "deployments"), DEPLOYMENT, True),
            (("apps", "v1beta1", "deployments"), DEPLOYMENT, False),
            (("apps", "v1", "deployments"), Carrier("apps/v1beta1", "Deployment"), True),
            (("batch", "v1", "cronjobs"), Carrier("batch/v1beta1", "CronJob"), True),
            (("", "v1", "deployments"), DEPLOYMENT, False),
            (("apps", "v1", "statefulsets"), DEPLOYMENT, False),
            (("", "v1", "pods"), DEPLOYMENT, True),
            (("apps", "v1", "replicasets"), DEPLOYMENT, True),
            (("apps", "v1", "pods"), DEPLOYMENT, False),
            (("apps", "v1", "deployments"), POD, False),
            (("", "v1", "pods"), POD, True),
            (("batch", "v1", "jobs"), Carrier("batch/v1", "CronJob"), True),
            (("batch", "v1", "cronjobs"), Carrier("batch/v1", "Job"), False),
            (("apps", "v1", "deployments"), Carrier("argoproj.io/v1alpha1", "Rollout"), True),
        ],
    )
    def test_an_entry_fits_the_object_and_what_it_makes(
        self, match: tuple[str, str, str], carrier: Carrier, *, fits: bool
    ) -> None:
        """A kind that upstream never sees could make anything."""
        assert ObjectMatch(*match).fits(carrier) is fits

    @pytest.mark.parametrize(
        ("demand", "fits"),
        [
            (LabelDemand("app", "In", ("shop",)), True),
            (LabelDemand("app", "In", ("other",)), False),
            (LabelDemand("app", "NotIn", ("shop",)), False),
            (LabelDemand("gone", "NotIn", ("shop",)), True),
            (LabelDemand("app", "Exists"), True),
            (LabelDemand("gone", "Exists"), False),
            (LabelDemand("gone", "DoesNotExist"), True),
            (LabelDemand("app", "DoesNotExist"), False),
        ],
    )
    def test_labels_are_those_of_the_object(self, demand: LabelDemand, *, fits: bool) -> None:
        """What is not there yet, or not known, fits."""
        assert ObjectMatch("apps", "v1", "deployments", (demand,)).fits(DEPLOYMENT) is fits
        assert ObjectMatch("", "v1", "pods", (demand,)).fits(DEPLOYMENT)
        assert ObjectMatch("apps", "v1", "deployments", (demand,)).fits(Carrier("apps/v1", "Deployment", None))

    def test_a_policy_covers_an_image_where_one_of_its_objects_fits(self) -> None:
        """And every image where the objects are not known."""
        more = "  match: [{group: apps, version: v1, resource: deployments, selector: {matchLabels: {app: shop}}}]\n"
        policy = load(KEYLESS, more=more)

        assert cover([policy], REFERENCE, DIGEST, None, [POD, DEPLOYMENT]).policies == (policy,)
        assert cover([policy], REFERENCE, DIGEST, None).policies == (policy,)
        other = cover([policy], REFERENCE, DIGEST, None, [POD])
        assert (other.policies, other.unlike, other.out_of_scope) == ((), ("cip",), False)

    @pytest.mark.parametrize(
        ("match", "said"),
        [
            ("{resource: pods}", "version is missing"),
            ("{version: v1, resource: widgets}", "is 'widgets'"),
            ("{version: v1, resource: pods, selector: {matchLabel: {}}}", "did you mean matchLabels?"),
            (
                "{version: v1, resource: pods, selector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}",
                "takes values with In and NotIn",
            ),
            ("{version: v1, resource: pods, selector: {matchExpressions: [{key: a, operator: In}]}}", "takes values"),
        ],
    )
    def test_what_selects_nothing_is_refused(self, match: str, said: str) -> None:
        """By name."""
        assert said in faults(KEYLESS, more=f"  match: [{match}]\n")
