include!("cases.in");
