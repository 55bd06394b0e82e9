//! The made-up day of the golden journal. What was written once is taken as it is; only what is added here is appended.

use super::*;

struct Script {
    /// Inputs that were written before.
    kept: Vec<Input>,
    inputs: Vec<Input>,
    core: Core,
    /// Seconds since its beginning.
    second: i64,
    /// What the core published last.
    said: Vec<mts_foundation::Event>,
}

impl Script {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_767_623_400_000 + self.second * 1_000)
    }

    /// Goes on by some seconds and feeds what happens then; gives back what the core wants done.
    fn after(&mut self, seconds: i64, input: impl FnOnce(Timestamp) -> Input) -> Vec<Action> {
        self.second += seconds;
        let planned = input(self.now());
        let input = self.kept.get(self.inputs.len()).cloned().unwrap_or(planned);
        let mut output = Output::default();
        self.core.step(&input, &mut output).unwrap();
        self.said = output.events;
        self.inputs.push(input);
        output.actions
    }

    fn decide(&mut self, commands: Vec<Command>) -> Vec<Action> {
        let (strategy_id, fund_id) = (StrategyId::new("s").unwrap(), fund());
        let memory = Some(vec![1, 2, 3]);
        self.after(5, |time| Input::Decided { strategy_id, fund_id, time, commands, memory })
    }

    fn act(&mut self, act: OperatorAct) -> Vec<Action> {
        self.after(5, |time| Input::Operator { act, time })
    }

    fn says(&mut self, event: BrokerEvent) -> Vec<Action> {
        self.after(1, |time| Input::Broker { broker: broker(), event, time })
    }

    /// Lets all orders pass that the asynchronous gates are asked about; those that leave then, and those that left before.
    fn pass(&mut self, actions: &[Action]) -> Vec<Order> {
        let mut left = orders(actions);
        let asked: Vec<_> = actions
            .iter()
            .filter_map(|action| match action {
                Action::Ask(question) => Some(question.order.order_id.clone()),
                _ => None,
            })
            .collect();
        for order_id in asked {
            let (answer, failures) = (GateAnswer::Passed, vec!["the veto had no opinion".to_owned()]);
            let actions = self.after(1, |time| Input::GateAnswered { order_id, answer, failures, time });
            left.extend(orders(&actions));
        }
        left
    }

    fn answered(&mut self, order: &Order, outcome: SubmitOutcome) -> Vec<Action> {
        self.after(1, |time| Input::Submitted { order_id: order.order_id.clone(), outcome, time })
    }

    fn accepted(&mut self, order: &Order) {
        let id = BrokerOrderId::new(format!("B-{}", order.order_id)).unwrap();
        let time = self.now();
        self.answered(order, SubmitOutcome::Accepted(order.clone().accepted(time, id)));
    }

    /// Sends one order that the venue takes.
    fn working(&mut self, key: &str, request: OrderRequest) -> Order {
        let actions = self.decide(vec![Command::Submit(keyed(key, request))]);
        let left = self.pass(&actions);
        assert_eq!(left.len(), 1, "{key}: {:?}", self.said);
        let [order] = left.try_into().unwrap();
        self.accepted(&order);
        order
    }

    fn filled(&mut self, order: &Order, id: &str, units: i64, fees: FeeStatus) {
        let fill = fill(order.order_id.as_str(), order.symbol.as_str(), order.side, id, units, self.now());
        self.says(BrokerEvent::Fill { account: account(), cursor: cursor(id), fill, fees });
    }

    fn sees(&mut self, positions: &[(&str, i64)], cash: &str) {
        let asof = self.now();
        let position = |(symbol, units): &(&str, i64)| {
            json!({ "fund_id": "golden", "symbol": symbol, "quantity": units.to_string(), "avg_price": "100",
                "last_price": "100", "market_value_usd": "0", "unrealized_pl_usd": "0", "realized_pl_ytd_usd": "0",
                "last_updated": asof })
        };
        let positions: Vec<Value> = positions.iter().map(position).collect();
        let account = json!({ "base_currency": "USD", "cash": cash, "equity": cash, "buying_power": null, "asof": asof });
        let seen = json!({ "open_orders": [], "positions": positions, "account": account });
        let answer = AccountAnswer::Seen(Box::new(serde_json::from_value(seen).unwrap()));
        self.after(2, |time| Input::AccountSeen { broker: broker(), answer, time });
    }
}

fn fund() -> FundId {
    FundId::new("golden").unwrap()
}

fn broker() -> BrokerName {
    "paper".parse().unwrap()
}

fn account() -> AccountId {
    AccountId::new("a").unwrap()
}

fn ann() -> ActorId {
    ActorId::new("ann").unwrap()
}

fn cursor(text: &str) -> Cursor {
    Cursor::new(text).unwrap()
}

fn named(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

fn market(name: &str, side: Side, units: i64) -> OrderRequest {
    OrderRequest::market(named(name), side, Decimal::from(units))
}

fn limit(name: &str, units: i64, price: i64) -> OrderRequest {
    let (order_type, limit_price) = (OrderType::Limit, Some(Decimal::from(price)));
    OrderRequest { order_type, limit_price, ..market(name, Side::Buy, units) }
}

fn keyed(key: &str, request: OrderRequest) -> OrderRequest {
    OrderRequest { idempotency_key: Some(IdempotencyKey::new(key).unwrap()), ..request }
}

fn fill(order: &str, symbol: &str, side: Side, id: &str, units: i64, time: Timestamp) -> Fill {
    Fill::new(id, order, symbol, side, Decimal::from(units), Decimal::from(100), time).unwrap()
}

fn orders(actions: &[Action]) -> Vec<Order> {
    let submits = actions.iter().filter_map(|action| match action {
        Action::Submit(order) => Some(order.clone()),
        _ => None,
    });
    submits.collect()
}

fn marks(price: i64) -> Vec<mts_engine::input::MarkUpdate> {
    let price = Decimal::from(price);
    ["AAPL", "MSFT"].map(|name| mts_engine::input::MarkUpdate { symbol: named(name), price }).into()
}

fn report(order: &Order, state: OrderState, time: Timestamp) -> OrderReport {
    OrderReport {
        broker_order_id: BrokerOrderId::new(format!("B-{}", order.order_id)).unwrap(),
        order_id: Some(order.order_id.clone()),
        idempotency_key: Some(order.idempotency_key.clone()),
        symbol: order.symbol.clone(),
        side: order.side,
        order_type: order.order_type,
        quantity: order.quantity,
        filled: Decimal::ZERO,
        average_price: None,
        state,
        reason: Some("as asked".into()),
        timestamp: time,
    }
}

/// Writes what is missing: the journal where there is none, inputs behind those that are there, what they mean as JSON, and the
/// state they lead to.
pub(super) fn write() {
    let folder = folder();
    if !folder.join(mts_journal::FILE_NAME).exists() {
        begin(&folder);
    }
    let mut run = RunFolder::open(&App::new(), &folder).unwrap();
    let core = RunFolder::open(&App::new(), &folder).unwrap().core;
    let mut kept = Vec::new();
    run.replay(&mut |step| kept.push(step.input.clone())).unwrap();
    let written = kept.len();
    let mut script = Script { kept, inputs: Vec::new(), core, second: 0, said: Vec::new() };
    trade(&mut script);
    errors(&mut script);
    operate(&mut script);
    clocks(&mut script);
    stale_prices(&mut script);
    issuer(&mut script);
    assert!(script.inputs.len() >= written, "the script lost what was written");
    let mut journal = FileJournal::open(&folder).unwrap();
    let mut buffer = Vec::new();
    for input in script.inputs.iter().skip(written) {
        encode(input, &mut buffer).unwrap();
        journal.append(INPUT_V1, &buffer).unwrap();
        journal.commit().unwrap();
    }
    drop(journal);
    std::fs::remove_file(folder.join(mts_journal::LOCK_NAME)).unwrap();
    let json: Vec<String> = script.inputs.iter().map(|input| serde_json::to_string(input).unwrap()).collect();
    std::fs::write(folder.join("inputs.jsonl"), json.join("\n") + "\n").unwrap();
    std::fs::write(folder.join("state.json"), format!("{}\n", standing(&script.core))).unwrap();
}

fn begin(folder: &Path) {
    let config = serde_json::to_string(&parse(CONFIG, Path::new("golden.toml")).unwrap().config).unwrap();
    let facts = VenueFacts { client_id_dedupe: true, ..VenueFacts::default() };
    let genesis = Genesis {
        program: "mts 0.1.0".to_owned(),
        config_hash: sha256(config.as_bytes()),
        config,
        files: BTreeMap::from([("instruments".to_owned(), sha256(INSTRUMENTS.as_bytes()))]),
        instruments: INSTRUMENTS.to_owned(),
        venues: BTreeMap::from([(broker(), facts)]),
        async_gates: true,
    };
    let payload = serde_json::to_vec(&genesis).unwrap();
    drop(FileJournal::begin(folder, &[(GENESIS, &payload)]).unwrap());
}

/// A start, a session, orders of every kind.
fn trade(script: &mut Script) {
    script.after(0, |time| Input::Started { time });
    let failed = |time| {
        let answer = AccountAnswer::Failed { message: "503".to_owned() };
        Input::AccountSeen { broker: broker(), answer, time }
    };
    script.after(1, failed);
    script.sees(&[], "100000");
    for connected in [false, true] {
        script.after(1, |time| Input::Connection { broker: broker(), connected, time });
    }
    script.sees(&[], "100000");
    script.after(1, |time| Input::Closes { time, marks: marks(100) });
    script.after(1, |time| Input::SessionOpen { date: time.to_datetime().date_naive(), time });
    script.after(1, |time| Input::Marks { time, marks: marks(100) });
    let volumes = vec![VolumeUpdate { symbol: named("AAPL"), units: Decimal::from(5_000) }];
    script.after(1, |time| Input::Volumes { time, volumes });
    let first = script.working("first", market("AAPL", Side::Buy, 10));
    script.filled(&first, "x1", 4, FeeStatus::Known);
    script.filled(&first, "x2", 6, FeeStatus::Pending);
    let fill_id = "x2".parse().unwrap();
    let (account, cursor) = (account(), cursor("c1"));
    script.says(BrokerEvent::FeesKnown { account, fill_id, fees: Decimal::ONE, cursor });
    let mut group = OrderGroup::bracket(market("MSFT", Side::Buy, 8), Decimal::from(120), Decimal::from(90));
    group.idempotency_key = Some(IdempotencyKey::new("bracket").unwrap());
    let actions = script.decide(vec![Command::Group(group)]);
    let left = script.pass(&actions);
    assert_eq!(left.len(), 1, "{:?}", script.said);
    for order in left {
        script.accepted(&order);
        script.filled(&order, "g1", 8, FeeStatus::Known);
    }
    let twap = Twap { horizon_minutes: 10, n_slices: 5, ..Twap::default() };
    let worked = AlgorithmRequest::new(keyed("twap", market("AAPL", Side::Buy, 20)), Algorithm::Twap(twap));
    let actions = script.decide(vec![Command::Algorithm(worked)]);
    let mut slices = script.pass(&actions);
    let actions = script.after(150, |time| Input::Timer { time });
    slices.extend(script.pass(&actions));
    assert!(slices.len() > 1, "{:?}", script.said);
    for order in slices {
        script.accepted(&order);
    }
    let weights =
        vec![TargetWeight { symbol: named("MSFT"), weight: Decimal::new(1, 1), signal: None, rank: None }];
    let strategy_id = StrategyId::new("s").unwrap();
    let targets = TargetSet { fund_id: fund(), strategy_id, asof: script.now(), weights };
    script.decide(vec![Command::Targets(targets), Command::Close(named("MSFT"))]);
}

/// What goes wrong: refusals, silence, cancels, lies.
fn errors(script: &mut Script) {
    let actions = script.decide(vec![Command::Submit(keyed("refused", limit("AAPL", 1, 99)))]);
    let asked = actions.iter().find_map(|action| match action {
        Action::Ask(question) => Some(question.order.order_id.clone()),
        _ => None,
    });
    let refusal = Rejection {
        gate: Gate::Veto,
        code: RejectCode::Vetoed,
        limit: None,
        observed: None,
        message: "not on a day like this".to_owned(),
    };
    let (order_id, answer) = (asked.unwrap(), GateAnswer::Refused(Box::new(refusal)));
    script.after(1, |time| Input::GateAnswered { order_id, answer, failures: Vec::new(), time });
    for (key, outcome) in [
        ("rejected", SubmitOutcome::Rejected { reason: "no".into() }),
        ("not-sent", SubmitOutcome::NotSent { reason: "no connection".into() }),
    ] {
        let actions = script.decide(vec![Command::Submit(keyed(key, limit("AAPL", 2, 95)))]);
        let left = script.pass(&actions);
        assert_eq!(left.len(), 1, "{key}: {:?}", script.said);
        script.answered(&left[0], outcome);
    }
    let actions = script.decide(vec![Command::Submit(keyed("lost", limit("AAPL", 3, 94)))]);
    let left = script.pass(&actions);
    assert_eq!(left.len(), 1, "lost: {:?}", script.said);
    let lost = left[0].clone();
    script.answered(&lost, SubmitOutcome::Unknown { cause: "no answer".into() });
    let found = LookUp::Found(Box::new(report(&lost, OrderState::Accepted, script.now())));
    for answer in [LookUp::Failed { message: "503".to_owned() }, LookUp::NotKnown, found] {
        script.after(1, |time| Input::LookedUp { order_id: lost.order_id.clone(), answer, time });
    }
    for (key, outcome) in [
        ("c1", CancelOutcome::Confirmed),
        ("c2", CancelOutcome::TooLate { state: OrderState::Expired }),
        ("c3", CancelOutcome::NotFound),
        ("c4", CancelOutcome::Unknown { cause: "no answer".into() }),
    ] {
        let order = script.working(key, limit("AAPL", 1, 90));
        script.decide(vec![Command::Cancel(order.order_id.clone())]);
        script.after(1, |time| Input::Canceled { order_id: order.order_id.clone(), outcome, time });
    }
    let expired = script.working("expires", limit("AAPL", 1, 91));
    let said = report(&expired, OrderState::Expired, script.now());
    script.says(BrokerEvent::Order(said));
    let time = script.now();
    let stray = fill("elsewhere", "AAPL", Side::Buy, "s1", 5, time);
    script.says(BrokerEvent::Fill {
        account: account(),
        cursor: cursor("s1"),
        fill: stray.clone(),
        fees: FeeStatus::Known,
    });
    let fill_id = || "x1".parse().unwrap();
    script.says(BrokerEvent::Corrected {
        account: account(),
        fill_id: fill_id(),
        fill: stray,
        cursor: cursor("k"),
    });
    script.says(BrokerEvent::Busted { account: account(), fill_id: fill_id(), cursor: cursor("b") });
    let (amount, currency) = (Decimal::new(1250, 2), Currency::USD);
    let (kind, symbol) = (CashKind::Dividend, Some(named("AAPL")));
    let flow = CashFlow { id: "d1".into(), kind, amount, currency, symbol, time };
    script.says(BrokerEvent::Cash { flow, cursor: cursor("d") });
    script.says(BrokerEvent::Gap {
        from: time,
        to: time.plus(std::time::Duration::from_secs(1)),
        recoverable: false,
    });
    for _ in 0..2 {
        script.sees(&[("AAPL", 15), ("MSFT", 8)], "97000");
        script.after(3, |time| Input::Timer { time });
    }
}

/// What people do.
fn operate(script: &mut Script) {
    let reason = || "seen on the venue's screen".to_owned();
    script.act(OperatorAct::Reconcile { broker: None, actor: ann() });
    for _ in 0..2 {
        script.sees(&[("AAPL", 15), ("MSFT", 8)], "97000");
        script.after(3, |time| Input::Timer { time });
    }
    let (broker, fund_id) = (broker(), fund());
    script.act(OperatorAct::Adopt {
        broker: broker.clone(),
        fund_id: fund_id.clone(),
        symbol: named("AAPL"),
        actor: ann(),
        reason: reason(),
    });
    let (kind, amount) = (CashKind::Withdrawal, Decimal::from(-500));
    script.act(OperatorAct::BookCash {
        broker,
        fund_id: fund_id.clone(),
        kind,
        amount,
        actor: ann(),
        reason: reason(),
    });
    let lost = script.working("by-hand", limit("AAPL", 1, 80));
    script.act(OperatorAct::Settle { order_id: lost.order_id.clone(), actor: ann(), reason: reason() });
    let request = Box::new(keyed("operator", limit("AAPL", 2, 97)));
    let (strategy_id, actor) = (StrategyId::new("s").unwrap(), ann());
    let actions = script.act(OperatorAct::Submit { fund_id: fund_id.clone(), strategy_id, request, actor });
    for order in script.pass(&actions) {
        script.accepted(&order);
    }
    script.act(OperatorAct::Cancel { order_id: lost.order_id.clone(), actor: ann() });
    let envelope = script.core.risk().envelope(&fund_id).unwrap().clone();
    let (version, max_position_pct) = (envelope.version + 1, 0.4);
    let envelope = mts_foundation::RiskEnvelope { version, max_position_pct, ..envelope };
    script.act(OperatorAct::UpdateEnvelope { envelope: Box::new(envelope), actor: ann(), reason: reason() });
    let scope = HaltScope::Fund(fund_id.clone());
    let timestamp = script.now();
    let (mode, requested_by) = (HaltMode::ReduceOnly, ann());
    script.act(OperatorAct::Halt(HaltRequest {
        scope: scope.clone(),
        mode,
        reason: reason(),
        causes: Vec::new(),
        requested_by,
        timestamp,
    }));
    let operators = || vec![ann(), ActorId::new("bob").unwrap()];
    let resume = |scope| ResumeRequest { scope, operators: operators(), reason: reason(), timestamp };
    script.act(OperatorAct::Resume(resume(Some(scope))));
    script.act(OperatorAct::CancelAll { fund_id: Some(fund_id.clone()), actor: ann() });
    script.act(OperatorAct::Flatten { fund_id: Some(fund_id), actor: ann() });
    script.act(OperatorAct::Kill { reason: reason(), actor: ann() });
    script.act(OperatorAct::Resume(resume(None)));
    script.after(60, |time| Input::Closes { time, marks: marks(101) });
    script.after(1, |time| Input::SessionClose { date: time.to_datetime().date_naive(), time });
}

/// Appended when the machine's clock became an input.
fn clocks(script: &mut Script) {
    for fault in [ClockFault::Jumped { by_millis: -7_200_000 }, ClockFault::Behind { by_millis: 1_500 }] {
        script.after(1, |time| Input::ClockWrong { fault, time });
    }
}

/// Appended when feeds could say that their prices are stale.
fn stale_prices(script: &mut Script) {
    for symbols in [vec!["AAPL".parse().unwrap()], Vec::new()] {
        let venue = "feed".parse().unwrap();
        script.after(1, |time| Input::StalePrices { venue, symbols, time });
    }
}

fn issuer(script: &mut Script) {
    let (new_units, old_units) = (Decimal::TWO, Decimal::ONE);
    let action = mts_foundation::CorporateAction {
        action_id: "msft-split".into(),
        symbol: named("MSFT"),
        ex_date: script.now().to_datetime().date_naive(),
        kind: mts_foundation::CorporateActionKind::Split { new_units, old_units },
    };
    script.act(OperatorAct::Corporate { action, actor: ann(), reason: "announced".to_owned() });
}
