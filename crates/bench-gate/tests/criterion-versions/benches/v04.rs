use criterion_0_4 as criterion;

include!("cases.in");
