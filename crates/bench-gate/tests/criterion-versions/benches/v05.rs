use criterion_0_5 as criterion;

include!("cases.in");
