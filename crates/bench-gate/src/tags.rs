//! What elements of a page are of, so that it can be filtered.

use maud::{Markup, PreEscaped, Render as _, html};

/// What a case, a row or a line is of, by facet: `("backend", "vulkan")`.
pub type Tags = Vec<(String, String)>;

/// An element with its tags as attributes: `data-backend="vulkan"`.
pub(crate) fn element(name: &str, class: &str, tags: &Tags, body: &Markup) -> Markup {
    let escape = |text: &str| text.render().into_string();
    let mut open = format!("<{name}");
    if !class.is_empty() {
        open.push_str(&format!(" class=\"{}\"", escape(class)));
    }
    for (facet, value) in tags {
        open.push_str(&format!(" {}=\"{}\"", attribute(facet), escape(value)));
    }
    html! { (PreEscaped(open)) (PreEscaped(">")) (body) (PreEscaped(format!("</{name}>"))) }
}

/// The attribute of a facet.
pub(crate) fn attribute(facet: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    format!("data-{}", facet.chars().map(letter).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_an_attribute_whatever_stands_in_it() {
        let tags = vec![("GPU backend".to_owned(), "a\"<b>".to_owned())];
        let group = element("g", "row", &tags, &html! { "x" }).into_string();
        assert_eq!(group, "<g class=\"row\" data-gpu-backend=\"a&quot;&lt;b&gt;\">x</g>");
        assert_eq!(element("tr", "", &Tags::new(), &html! {}).into_string(), "<tr></tr>");
    }
}
