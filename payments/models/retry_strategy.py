"""When to try again, as rows that staff can read and change."""

from datetime import timedelta

from django.db import models
from django.db.models import F, Q


class Work(models.TextChoices):
    """What is tried again."""

    SEND = "send", "send a call that did not reach the PSP"
    QUERY_UNKNOWN = "query_unknown", "ask about a call whose answer was lost"
    QUERY_PENDING = "query_pending", "ask about a payment that waits for somebody"
    HANDLE_WEBHOOK = "handle_webhook", "handle a stored webhook"
    DELIVER_WEBHOOK = "deliver_webhook", "send a webhook to a shop again"
    ASK_RISK = "ask_risk", "ask the outside risk provider again"


class StrategyKind(models.TextChoices):
    """How the waits between tries grow."""

    IMMEDIATE = "immediate", "at once"
    FIXED = "fixed", "always the same wait"
    INCREMENTAL = "incremental", "each wait longer by the same step"
    EXPONENTIAL = "exponential", "each wait longer by the same factor"
    GIVE_UP = "give_up", "never again: dead letter"


class RetryStrategy(models.Model):
    """The waits for one kind of work, at one PSP or any, after one class of error or any.

    The most specific row counts: PSP and error class, then PSP, then error class, then neither.
    """

    work = models.CharField(max_length=24, choices=Work.choices)
    psp_account = models.CharField(max_length=40, blank=True, default="")
    """Empty: any PSP."""
    error_class = models.CharField(max_length=40, blank=True, default="")
    """Empty: any error."""
    kind = models.CharField(max_length=16, choices=StrategyKind.choices)
    first_seconds = models.DecimalField(max_digits=9, decimal_places=3, default=0)
    """The first wait."""
    growth = models.DecimalField(max_digits=9, decimal_places=3, default=0)
    """Seconds that each wait is longer (incremental), or how many times longer (exponential)."""
    longest_seconds = models.DecimalField(max_digits=9, decimal_places=3, default=0)
    jitter = models.DecimalField(max_digits=3, decimal_places=2, default=0)
    """Share by which a wait may be shorter or longer, by chance, so that tries do not come in waves."""
    most_tries = models.PositiveIntegerField(null=True, blank=True)
    """After so many the work goes to the dead letters; empty: never by this rule."""

    class Meta:
        verbose_name_plural = "retry strategies"
        constraints = [
            models.UniqueConstraint(
                fields=["work", "psp_account", "error_class"], name="one_strategy_per_case"
            ),
            models.CheckConstraint(name="strategy_work_is_known", condition=Q(work__in=Work.values)),
            models.CheckConstraint(name="strategy_kind_is_known", condition=Q(kind__in=StrategyKind.values)),
            models.CheckConstraint(
                name="strategy_waits_are_sensible",
                condition=Q(
                    first_seconds__gte=0,
                    growth__gte=0,
                    longest_seconds__gte=F("first_seconds"),
                    longest_seconds__lte=7 * 24 * 3600,
                    jitter__gte=0,
                    jitter__lte=0.5,
                ),
            ),
            models.CheckConstraint(
                # A wait that never grows beyond nothing would be a busy loop.
                name="strategy_exponential_grows",
                condition=~Q(kind=StrategyKind.EXPONENTIAL) | Q(first_seconds__gt=0, growth__gte=1),
            ),
        ]

    def __str__(self) -> str:
        case = " ".join(part for part in (self.psp_account, self.error_class) if part)
        return f"{self.work} {case or 'by default'}: {self.kind}"

    def wait(self, done: int) -> timedelta | None:
        """The wait after `done` tries that did not help, before jitter; None: give up."""
        if self.kind == StrategyKind.GIVE_UP or (self.most_tries is not None and done >= self.most_tries):
            return None
        first, growth = float(self.first_seconds), float(self.growth)
        match self.kind:
            case StrategyKind.IMMEDIATE:
                seconds = 0.0
            case StrategyKind.FIXED:
                seconds = first
            case StrategyKind.INCREMENTAL:
                seconds = first + growth * done
            case _:
                seconds = first * growth ** min(done, 50)  # Below 1e307, which a float holds.
        return timedelta(seconds=min(seconds, float(self.longest_seconds)))
