//! Funds over funds: the registry loses nothing and takes nothing by half, and plans keep what they promise.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that fails says so")]

use chrono::{Days, NaiveDate};
use mts_foundation::sizing::{Allocator, ComputeError};
use mts_foundation::{ActorId, Currency, Decimal, FundConfig, FundId, Timestamp};
use mts_portfolio::funds::*;
use ndarray::{Array1, ArrayView2, Axis};
use proptest::prelude::*;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn id(name: &str) -> FundId {
    FundId::new(name).unwrap()
}

fn actor(name: &str) -> ActorId {
    ActorId::new(name).unwrap()
}

fn created(name: &str, nav: &str) -> RegistryRecord {
    let broker = mts_foundation::BrokerName::new("paper").unwrap();
    let config = FundConfig::new(id(name), broker, d(nav), Timestamp::EPOCH);
    RegistryRecord::FundCreated { config, run: None }
}

fn moved(name: &str, kind: MoveKind, amount: &str, reference: Option<&str>) -> RegistryRecord {
    RegistryRecord::CapitalMoved(CapitalMove {
        fund_id: id(name),
        kind,
        amount: d(amount),
        date: "2024-03-01".parse().unwrap(),
        actor: actor("ann"),
        reason: "quarterly".to_owned(),
        reference: reference.map(str::to_owned),
        time: Timestamp::EPOCH,
    })
}

fn changed(name: &str, change: FundChange) -> RegistryRecord {
    let (actor, reason) = (actor("ann"), "a review".to_owned());
    RegistryRecord::FundChanged { fund_id: id(name), change, actor, reason, time: Timestamp::EPOCH }
}

fn standing(name: &str, nav: &str) -> FundStanding {
    FundStanding { fund_id: id(name), active: true, nav: d(nav), target_nav: d(nav) }
}

/// The firm of the documents.
fn firm() -> Vec<FundStanding> {
    [("alpha", "112400"), ("beta", "48200"), ("gamma", "24800"), ("delta", "38750")]
        .map(|(name, nav)| standing(name, nav))
        .to_vec()
}

struct InverseVolatility;

impl Allocator for InverseVolatility {
    fn name(&self) -> &str {
        "inverse"
    }
    fn allocate(&self, returns: ArrayView2<'_, f64>) -> Result<Array1<f64>, ComputeError> {
        Ok(returns.std_axis(Axis(0), 1.0).mapv(f64::recip))
    }
}

fn request<'a>(
    funds: &'a [FundStanding],
    method: AllocationMethod,
    constraints: &'a Constraints,
    history: Option<&'a ReturnHistory>,
) -> AllocationRequest<'a> {
    AllocationRequest { funds, method, constraints, history, allocator: &InverseVolatility }
}

fn free() -> Constraints {
    Constraints {
        min_per_fund: Decimal::ZERO,
        max_per_fund_pct: Decimal::ONE,
        max_sleeve_correlation: Decimal::ONE,
        preserve_capital_dnt: true,
    }
}

/// A history with these daily returns, in tenths of a per cent.
fn history(funds: &[(&str, &[i64])]) -> ReturnHistory {
    let first: NaiveDate = "2024-01-01".parse().unwrap();
    let days = |returns: &[i64]| {
        let mut nav = d("1000");
        let mut days = vec![NavDay { date: first, nav, flow: Decimal::ZERO }];
        for (at, change) in (1..).zip(returns) {
            nav *= Decimal::ONE + Decimal::new(*change, 3);
            nav = nav.round_dp(12);
            days.push(NavDay { date: first + Days::new(at), nav, flow: Decimal::ZERO });
        }
        days
    };
    let all: Vec<_> = funds.iter().map(|(name, returns)| (id(name), days(returns))).collect();
    ReturnHistory::new(&all, AllocationMethod::RiskParity).unwrap()
}

fn repeated(pattern: &[i64]) -> Vec<i64> {
    pattern.iter().copied().cycle().take(24).collect()
}

fn targets(plan: &AllocationPlan) -> Vec<String> {
    plan.rows
        .iter()
        .map(|row| format!("{} {} {:?}", row.fund_id, row.target.normalize(), row.bound))
        .collect()
}

#[test]
fn what_is_registered_is_what_the_records_say() {
    let records = [
        created("alpha", "100000"),
        created("beta", "50000.50"),
        moved("alpha", MoveKind::Deposit, "12400", Some("wire 7")),
        moved("beta", MoveKind::Withdrawal, "50000.50", None),
        changed("beta", FundChange { active: Some(false), ..FundChange::default() }),
    ];
    let mut registry = FundRegistry::new();
    for record in &records {
        let bytes = encode(record).unwrap();
        assert_eq!(decode(REGISTRY_V1, &bytes).unwrap(), *record);
        registry.apply(record).unwrap();
    }
    let alpha = registry.fund(&id("alpha")).unwrap();
    assert_eq!(
        (alpha.capital, alpha.config.target_nav_usd, alpha.moves.len()),
        (d("112400"), d("100000"), 1)
    );
    let beta = registry.fund(&id("beta")).unwrap();
    assert_eq!((beta.capital, beta.config.active), (d("0"), false));
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut registry = FundRegistry::new();
    registry.apply(&created("alpha", "100")).unwrap();
    registry.apply(&moved("alpha", MoveKind::Deposit, "1", Some("wire 7"))).unwrap();
    let before = registry.clone();
    let mut euros = created("beta", "1");
    if let RegistryRecord::FundCreated { config, .. } = &mut euros {
        config.base_currency = Currency::new("EUR").unwrap();
    }
    let mut silent = changed("alpha", FundChange { active: Some(false), ..FundChange::default() });
    if let RegistryRecord::FundChanged { reason, .. } = &mut silent {
        *reason = "  ".to_owned();
    }
    for (record, words) in [
        (created("alpha", "5"), "fund_id alpha exists already"),
        (created("beta", "-5"), "target_nav_usd is -5; it must be at least 0"),
        (created("beta", "0.001"), "give whole cents"),
        (created("beta", "2000000000000000"), "at most 1e15"),
        (euros, "fund beta keeps EUR, the registry USD"),
        (moved("beta", MoveKind::Deposit, "1", None), "no fund beta in the registry; it has alpha"),
        (moved("alpha", MoveKind::Deposit, "0", None), "amount is 0; it must be above 0"),
        (moved("alpha", MoveKind::Withdrawal, "101.01", None), "101 of capital, 101.01 cannot be withdrawn"),
        (moved("alpha", MoveKind::Deposit, "1", Some("wire 7")), "reference \"wire 7\" already"),
        (moved("alpha", MoveKind::Deposit, "1", Some(" ")), "length of reference"),
        (changed("alpha", FundChange::default()), "names nothing"),
        (silent, "reason is empty"),
    ] {
        let error = registry.apply(&record).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(registry, before, "{error}");
    }
    // With a run the books of the run say what there is.
    let mut with_run = changed("alpha", FundChange { run: Some("/runs/a".into()), ..FundChange::default() });
    registry.apply(&with_run).unwrap();
    registry.apply(&moved("alpha", MoveKind::Withdrawal, "150", None)).unwrap();
    assert_eq!(registry.fund(&id("alpha")).unwrap().capital, d("-49"));
    with_run = created("beta", "1");
    registry.apply(&with_run).unwrap();
}

#[test]
fn records_of_another_program_are_not_guessed_at() {
    let bytes = encode(&created("a", "1")).unwrap();
    assert!(decode(2, &bytes).unwrap_err().to_string().contains("none of a registry"));
    let newer = String::from_utf8(bytes.clone()).unwrap().replace("\"version\":1", "\"version\":2");
    assert!(decode(REGISTRY_V1, newer.as_bytes()).unwrap_err().to_string().contains("version 2"));
    assert!(decode(REGISTRY_V1, &bytes[..bytes.len() - 1]).is_err());
    assert!("plan-0".parse::<PlanId>().is_err() && "7".parse::<PlanId>().is_err());
}

fn planned(registry: &FundRegistry, method: AllocationMethod) -> RegistryRecord {
    let funds: Vec<FundStanding> = registry
        .funds()
        .map(|fund| FundStanding {
            fund_id: fund.config.fund_id.clone(),
            active: fund.config.active,
            nav: fund.capital,
            target_nav: fund.config.target_nav_usd,
        })
        .collect();
    let plan = plan_allocation(&request(&funds, method, &free(), None)).unwrap();
    RegistryRecord::AllocationPlanned { plan_id: registry.next_plan(), plan, time: Timestamp::EPOCH }
}

fn executed(plan: &str, one: &str, other: &str) -> RegistryRecord {
    RegistryRecord::AllocationExecuted {
        plan_id: plan.parse().unwrap(),
        actor: actor(one),
        cosigned_by: actor(other),
        time: Timestamp::EPOCH,
    }
}

#[test]
fn a_plan_is_executed_once_by_two_and_only_while_it_is_true() {
    let mut registry = FundRegistry::new();
    registry.apply(&created("alpha", "300")).unwrap();
    registry.apply(&created("beta", "100")).unwrap();
    registry.apply(&planned(&registry, AllocationMethod::Equal)).unwrap();
    registry.apply(&planned(&registry, AllocationMethod::Manual)).unwrap();
    let before = registry.clone();
    for (record, words) in [
        (executed("plan-1", "ann", "ann"), "two different operators, ann is named twice"),
        (executed("plan-1", "ann", "Ann"), "two different operators, ann is named twice"),
        (executed("plan-3", "ann", "bob"), "there is no plan-3"),
    ] {
        let error = registry.apply(&record).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(registry, before);
    }
    registry.apply(&executed("plan-1", "ann", "bob")).unwrap();
    let fund = registry.fund(&id("alpha")).unwrap();
    assert_eq!(fund.config.target_nav_usd, d("200"));
    assert_eq!(fund.capital, d("300"), "an instruction is not money that has arrived");
    let (_, kept) = registry.plans().next().unwrap();
    assert_eq!(kept.execution.as_ref().unwrap().cosigned_by, actor("bob"));
    for (plan, words) in [("plan-1", "executed already"), ("plan-2", "plan-2 is out of date")] {
        let error = registry.apply(&executed(plan, "ann", "bob")).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let mut wrong = planned(&registry, AllocationMethod::Equal);
    if let RegistryRecord::AllocationPlanned { plan, .. } = &mut wrong {
        plan.rows[0].delta += Decimal::ONE;
    }
    assert!(registry.apply(&wrong).unwrap_err().to_string().contains("not zero in sum"));
    let old = planned(&registry, AllocationMethod::Equal);
    registry.apply(&created("gamma", "1")).unwrap();
    assert!(registry.apply(&old).unwrap_err().to_string().contains("not those of the registry"));
}

#[test]
fn the_firm_of_the_documents_is_divided() {
    let constraints = Constraints::default();
    let plan = plan_allocation(&request(&firm(), AllocationMethod::Equal, &constraints, None)).unwrap();
    assert_eq!(plan.firm_nav, d("224150"));
    let wanted = ["alpha", "beta", "delta", "gamma"].map(|name| format!("{name} 56037.5 None"));
    assert_eq!(targets(&plan), wanted);
    let transfers: Vec<String> = plan
        .transfers
        .iter()
        .map(|one| format!("{} {} {}", one.from, one.to, one.amount.normalize()))
        .collect();
    assert_eq!(transfers, ["alpha gamma 31237.5", "alpha delta 17287.5", "alpha beta 7837.5"]);
    // As they are, but for the bounds: half of the firm, and 25,000.
    let plan = plan_allocation(&request(&firm(), AllocationMethod::Manual, &constraints, None)).unwrap();
    assert_eq!(
        targets(&plan),
        ["alpha 112075 Maximum", "beta 48269.29 None", "delta 38805.71 None", "gamma 25000 Minimum"]
            .map(|row| row.to_owned())
    );
    // Without bounds the targets are what they are.
    let plan = plan_allocation(&request(&firm(), AllocationMethod::Manual, &free(), None)).unwrap();
    assert!(plan.rows.iter().all(|row| row.delta.is_zero()) && plan.transfers.is_empty());
}

#[test]
fn two_halves_are_a_whole_also_of_an_odd_cent() {
    let funds = [standing("a", "100000.01"), standing("b", "0")];
    let plan =
        plan_allocation(&request(&funds, AllocationMethod::Equal, &Constraints::default(), None)).unwrap();
    assert_eq!(targets(&plan), ["a 50000.01 None", "b 50000 None"]);
}

#[test]
fn funds_that_do_not_trade_keep_their_capital_unless_told_otherwise() {
    let mut funds = firm();
    funds[0].active = false;
    let plan =
        plan_allocation(&request(&funds, AllocationMethod::Equal, &Constraints::default(), None)).unwrap();
    assert_eq!(targets(&plan)[0], "alpha 112400 Preserved");
    assert_eq!(targets(&plan)[1], "beta 37250 None");
    let constraints = Constraints { preserve_capital_dnt: false, ..Constraints::default() };
    let plan = plan_allocation(&request(&funds, AllocationMethod::Equal, &constraints, None)).unwrap();
    assert_eq!(targets(&plan)[0], "alpha 0 Released");
    assert_eq!(plan.rows.iter().map(|row| row.target).sum::<Decimal>(), d("224150"));
}

#[test]
fn risk_parity_is_what_the_allocator_says_and_the_plan_says_why() {
    let history = history(&[
        ("calm", &repeated(&[1, -1, 2, -2])),
        ("wild", &repeated(&[10, 20, -10, -20])),
        ("like_wild", &repeated(&[11, 20, -11, -20])),
    ]);
    let funds = ["calm", "wild", "like_wild"].map(|name| standing(name, "50000"));
    let plan =
        plan_allocation(&request(&funds, AllocationMethod::RiskParity, &free(), Some(&history))).unwrap();
    let by_name = |name: &str| plan.rows.iter().find(|row| row.fund_id.as_str() == name).unwrap();
    let volatility = |name: &str| f64::try_from(by_name(name).volatility.unwrap()).unwrap();
    let target = |name: &str| f64::try_from(by_name(name).target).unwrap();
    assert!((target("calm") / target("wild") - volatility("wild") / volatility("calm")).abs() < 1e-3);
    let parts: Decimal = plan.rows.iter().map(|row| row.contribution.unwrap()).sum();
    assert!((parts - Decimal::ONE).abs() < d("0.000001"), "{parts}");
    // The two that move alike have together what one may have, in their proportions.
    let constraints = Constraints { max_per_fund_pct: d("0.6"), max_sleeve_correlation: d("0.7"), ..free() };
    let plan =
        plan_allocation(&request(&funds, AllocationMethod::Equal, &constraints, Some(&history))).unwrap();
    assert_eq!(
        targets(&plan),
        [
            "calm 60000 None".to_owned(),
            "like_wild 45000 Pair { with: FundId(\"wild\") }".to_owned(),
            "wild 45000 Pair { with: FundId(\"like_wild\") }".to_owned(),
        ]
    );
    assert!(plan.correlations_known);
}

#[test]
fn kelly_gives_nothing_to_who_loses() {
    // Not correlated, means 2, -1 and 2.
    let history = history(&[
        ("winner", &repeated(&[6, -2, 6, -2])),
        ("loser", &repeated(&[1, 1, -3, -3])),
        ("other", &repeated(&[6, -2, -2, 6])),
    ]);
    let funds = ["winner", "loser", "other"].map(|name| standing(name, "50000"));
    let plan = plan_allocation(&request(&funds, AllocationMethod::Kelly, &free(), Some(&history))).unwrap();
    assert_eq!(targets(&plan)[0], "loser 0 None");
    assert!(
        plan.rows[1..].iter().all(|row| (row.target - d("75000")).abs() < d("1")),
        "{:?}",
        targets(&plan)
    );
    let bleeding = ["loser"].map(|name| standing(name, "50000"));
    let error =
        plan_allocation(&request(&bleeding, AllocationMethod::Kelly, &free(), Some(&history))).unwrap_err();
    assert_eq!(error.to_string(), "kelly gives no fund a share above zero; choose another method");
}

#[test]
fn kelly_of_two_that_are_not_correlated_is_mean_by_variance() {
    // Means 2 and 1, deviations 4 and 2 in an orthogonal pattern: shares as 2/16 to 1/4.
    let history = history(&[("a", &repeated(&[6, -2, 6, -2])), ("b", &repeated(&[3, 3, -1, -1]))]);
    let funds = ["a", "b"].map(|name| standing(name, "300"));
    let plan = plan_allocation(&request(&funds, AllocationMethod::Kelly, &free(), Some(&history))).unwrap();
    assert!((plan.rows[0].target - d("200")).abs() < d("0.01"), "{:?}", targets(&plan));
}

#[test]
fn what_cannot_be_planned_says_why_and_what_to_do() {
    let constraints = |minimum: &str, maximum: &str| Constraints {
        min_per_fund: d(minimum),
        max_per_fund_pct: d(maximum),
        ..Constraints::default()
    };
    let funds = firm();
    for (constraints, words) in [
        (constraints("60000", "0.5"), "min_per_fund is 60000: 4 funds need 240000, 224150 is there"),
        (constraints("25000", "0.2"), "44830 cannot be placed with method equal"),
        (constraints("25000", "0.1"), "min_per_fund is 25000, more than the 22415"),
        (constraints("-1", "0.5"), "min_per_fund is -1"),
        (constraints("0", "50"), "max_per_fund_pct is 50; it must be above 0 and at most 1"),
    ] {
        let error =
            plan_allocation(&request(&funds, AllocationMethod::Equal, &constraints, None)).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let plan =
        |funds: &[FundStanding], method, constraints: &Constraints, history: Option<&ReturnHistory>| {
            plan_allocation(&request(funds, method, constraints, history)).unwrap_err().to_string()
        };
    let error = plan(&funds, AllocationMethod::RiskParity, &free(), None);
    assert!(error.contains("choose method equal or manual"), "{error}");
    let mut idle = funds.clone();
    idle.iter_mut().for_each(|fund| fund.active = false);
    assert!(plan(&idle, AllocationMethod::Equal, &free(), None).contains("no fund takes part"));
    let twice = [standing("a", "1"), standing("a", "1")];
    assert!(plan(&twice, AllocationMethod::Equal, &free(), None).contains("a exists already"));
    let broke = [standing("a", "-1"), standing("b", "1")];
    assert!(plan(&broke, AllocationMethod::Equal, &free(), None).contains("worth 0 together"));
    let still = history(&[("alpha", &repeated(&[0])), ("beta", &repeated(&[1, -1]))]);
    let error = plan(&funds[..2], AllocationMethod::RiskParity, &free(), Some(&still));
    assert!(error.contains("fund alpha has not moved"), "{error}");
    let alike = history(&[("alpha", &repeated(&[1, -2])), ("beta", &repeated(&[1, -2]))]);
    let tight = Constraints { min_per_fund: d("50000"), ..Constraints::default() };
    let error = plan(&funds[..2], AllocationMethod::Equal, &tight, Some(&alike));
    assert!(error.contains("alpha and beta have a correlation of 1.00 and may have 80300"), "{error}");
    let error = plan(&funds[..2], AllocationMethod::Equal, &Constraints::default(), Some(&alike));
    assert!(
        error.starts_with("80300 cannot be placed") && error.contains("(alpha and beta: 1.00)"),
        "{error}"
    );
    let error = plan(&funds[..2], AllocationMethod::Kelly, &free(), Some(&alike));
    assert!(error.contains("not positive definite"), "{error}");
}

prop_compose! {
    fn funds()(
        rows in proptest::collection::vec((0_i64..100_000_000, 0_i64..100_000_000, prop::bool::weighted(0.8)), 1..9)
    ) -> Vec<FundStanding> {
        (0..).zip(rows).map(|(at, (nav, target, active))| FundStanding {
            fund_id: id(&format!("fund-{at}")),
            active,
            nav: Decimal::new(nav, 2),
            target_nav: Decimal::new(target, 2),
        }).collect()
    }
}

prop_compose! {
    fn constraints()(
        minimum in prop_oneof![Just(0_i64), 0_i64..30_000_000],
        maximum in 10_i64..=100,
        correlation in 0_i64..=10,
        preserve_capital_dnt: bool,
    ) -> Constraints {
        Constraints {
            min_per_fund: Decimal::new(minimum, 2),
            max_per_fund_pct: Decimal::new(maximum, 2),
            max_sleeve_correlation: Decimal::new(correlation, 1),
            preserve_capital_dnt,
        }
    }
}

fn method() -> impl Strategy<Value = AllocationMethod> {
    prop::sample::select(AllocationMethod::ALL.to_vec())
}

fn correlation(history: &ReturnHistory, left: &FundId, right: &FundId) -> f64 {
    let column = |fund: &FundId| {
        let at = history.funds().iter().position(|known| known == fund).unwrap();
        let values = history.returns().column(at).to_owned();
        let mean = values.mean().unwrap();
        values - mean
    };
    let (left, right) = (column(left), column(right));
    left.dot(&right) / (left.dot(&left) * right.dot(&right)).sqrt()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn plans_move_nothing_in_sum_and_keep_their_bounds(
        funds in funds(),
        constraints in constraints(),
        method in method(),
        returns in proptest::collection::vec(proptest::collection::vec(-30_i64..32, 25), 9),
        turn in any::<prop::sample::Index>(),
    ) {
        let named: Vec<(&str, &[i64])> =
            funds.iter().zip(&returns).map(|(fund, returns)| (fund.fund_id.as_str(), returns.as_slice())).collect();
        let history = history(&named);
        let plan = plan_allocation(&request(&funds, method, &constraints, Some(&history)));
        let mut turned = funds.clone();
        turned.rotate_left(turn.index(funds.len()));
        let again = plan_allocation(&request(&turned, method, &constraints, Some(&history)));
        prop_assert_eq!(&plan, &again, "the order of the funds does not matter");
        let Ok(plan) = plan else { return Ok(()) };

        prop_assert_eq!(plan.rows.iter().map(|row| row.delta).sum::<Decimal>(), Decimal::ZERO);
        prop_assert_eq!(plan.rows.iter().map(|row| row.target).sum::<Decimal>(), plan.firm_nav);
        prop_assert!(plan.transfers.len() < plan.rows.len());
        for row in &plan.rows {
            prop_assert_eq!(row.target, row.target.round_dp(2));
            prop_assert_eq!(row.target - row.current, row.delta);
            let paid: Decimal = plan.transfers.iter().filter(|one| one.from == row.fund_id).map(|one| one.amount).sum();
            let got: Decimal = plan.transfers.iter().filter(|one| one.to == row.fund_id).map(|one| one.amount).sum();
            prop_assert_eq!(got - paid, row.delta);
            prop_assert!(got.is_zero() || paid.is_zero(), "nobody both pays and receives");
        }
        let most = plan.firm_nav * constraints.max_per_fund_pct;
        // Rounded up to the cent.
        let most = (most * d("100")).ceil() / d("100");
        let taking: Vec<&PlanRow> =
            plan.rows.iter().filter(|row| !matches!(row.bound, Bound::Preserved | Bound::Released)).collect();
        for (at, row) in taking.iter().enumerate() {
            prop_assert!(row.target >= constraints.min_per_fund && row.target <= most, "{:?}", row);
            for other in &taking[at + 1..] {
                let alike = correlation(&history, &row.fund_id, &other.fund_id);
                let threshold = f64::try_from(constraints.max_sleeve_correlation).unwrap();
                prop_assert!(alike <= threshold + 1e-9 || row.target + other.target <= most, "{:?} {:?}", row, other);
            }
        }
        let json = serde_json::to_vec(&plan).unwrap();
        prop_assert_eq!(serde_json::from_slice::<AllocationPlan>(&json).unwrap(), plan);
    }

    #[test]
    fn proportions_are_kept_among_those_that_no_bound_holds(funds in funds(), constraints in constraints()) {
        let plan = plan_allocation(&request(&funds, AllocationMethod::Manual, &constraints, None));
        let Ok(plan) = plan else { return Ok(()) };
        let target = |row: &PlanRow| funds.iter().find(|fund| fund.fund_id == row.fund_id).unwrap().target_nav;
        let free: Vec<&PlanRow> = plan.rows.iter().filter(|row| row.bound == Bound::None).collect();
        for pair in free.windows(2) {
            // Each is within a cent of its exact share.
            let (left, right) = (pair[0].target * target(pair[1]), pair[1].target * target(pair[0]));
            let slack = (target(pair[0]) + target(pair[1])) * d("0.011");
            prop_assert!((left - right).abs() <= slack, "{:?} {:?}", pair[0], pair[1]);
        }
    }

    #[test]
    fn equal_parts_are_found_wherever_there_are_some(funds in funds(), constraints in constraints()) {
        let plan = plan_allocation(&request(&funds, AllocationMethod::Equal, &constraints, None));
        let firm: Decimal = funds.iter().map(|fund| fund.nav).sum();
        let taking = Decimal::from(funds.iter().filter(|fund| fund.active).count());
        let resting: Decimal = funds.iter().filter(|fund| !fund.active).map(|fund| fund.nav).sum();
        let there = if constraints.preserve_capital_dnt { firm - resting } else { firm };
        let most = (firm * constraints.max_per_fund_pct * d("100")).ceil() / d("100");
        let least = constraints.min_per_fund;
        let fits = there > Decimal::ZERO && least <= most && least * taking <= there && there <= most * taking;
        prop_assert_eq!(plan.is_ok(), fits, "{:?}", plan);
    }
}
