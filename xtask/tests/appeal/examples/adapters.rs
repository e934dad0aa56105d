//! The listing of a machine that has nothing but its processor.

const CPU: &str = r#"{"backend":"cpu","name":"host","kind":"software","driver":"none","driver_version":"","timestamps":false,"limits":null,"unusable":null}"#;

fn main() {
    println!(r#"{{"adapters":[{CPU}],"picked":[{CPU}],"absent":[]}}"#);
}
