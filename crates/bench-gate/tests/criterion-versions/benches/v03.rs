use criterion_0_3 as criterion;

include!("cases.in");
