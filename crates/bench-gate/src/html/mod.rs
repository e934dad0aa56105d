//! A report as one file: no network, light and dark, for a phone, for paper, for a keyboard and a screen reader.

pub mod folder;
pub mod report;
pub mod sections;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    figures::{Figure, Theme, css},
    table::Table,
    tags::{Tags, attribute, element},
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// What the page may do: nothing that leaves it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// Whether something is bad, good or neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// It fails.
    Worse,
    /// It is welcome.
    Better,
    /// It cannot be told.
    Doubtful,
    /// Neither.
    #[default]
    Same,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Worse => "badge worse",
            Self::Better => "badge better",
            Self::Doubtful => "badge doubtful",
            Self::Same => "badge same",
        }
    }
}

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Title of the page and of the window.
    pub title: String,
    /// How it ended, in a word, and how bad that is.
    pub headline: (String, Tone),
    /// What there is to know first, a sentence each.
    pub summary: Vec<String>,
    /// What is shown, the most important first.
    pub sections: Vec<Section>,
    /// What is told of each case: closed until somebody asks.
    pub cases: Vec<Section>,
    /// Machine, versions, time: names and values.
    pub facts: Vec<(String, String)>,
    /// What to run to measure the same again.
    pub command: String,
}

/// A part of the page under a heading.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Its anchor.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// A word beside the heading, and how bad that is.
    pub badge: Option<(String, Tone)>,
    /// What stands in it.
    pub content: Vec<Content>,
    /// What it is of.
    pub tags: Tags,
}

/// What stands in a section.
#[derive(Clone, Debug)]
pub enum Content {
    /// A paragraph.
    Text(String),
    /// A picture.
    Figure(Box<Figure>),
    /// A table.
    Table(Table),
}

impl From<Figure> for Content {
    fn from(figure: Figure) -> Self {
        Self::Figure(Box::new(figure))
    }
}

impl Content {
    fn tags<'a>(&'a self, tags: &mut Vec<&'a (String, String)>) {
        let table = match self {
            Self::Text(_) => return,
            Self::Figure(figure) => &figure.table,
            Self::Table(table) => table,
        };
        tags.extend(table.rows.iter().flat_map(|row| &row.tags));
    }
}

impl Page {
    /// Every figure of the page, in order.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        let sections = self.sections.iter().chain(&self.cases);
        sections
            .flat_map(|section| &section.content)
            .filter_map(|content| match content {
                Content::Figure(figure) => Some(&**figure),
                Content::Text(_) | Content::Table(_) => None,
            })
    }

    /// The file.
    pub fn render(&self) -> String {
        let (word, tone) = &self.headline;
        let (light, dark) = (css(Theme::Light), css(Theme::Dark));
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    link rel="icon" href="data:,";
                    title { (self.title) }
                    style {
                        (PreEscaped(STYLE))
                        (PreEscaped(light))
                        "@media screen and (prefers-color-scheme: dark) {\n" (PreEscaped(dark)) "}\n"
                    }
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    header {
                        h1 { (self.title) @if !word.is_empty() { " " span class=(tone.class()) { (word) } } }
                        @for sentence in &self.summary { p { (sentence) } }
                        nav aria-label="Sections" { ul {
                            @for section in &self.sections { li { a href={ "#" (section.id) } { (section.title) } } }
                            @if !self.cases.is_empty() { li { a href="#cases" { "Cases" } } }
                            li { a href="#again" { "Machine and command" } }
                        } }
                    }
                    (self.filter())
                    main id="content" tabindex="-1" {
                        @for section in &self.sections { (section.open()) }
                        @if !self.cases.is_empty() {
                            section id="cases" aria-labelledby="cases-title" {
                                h2 id="cases-title" { "Cases" }
                                @for case in &self.cases { (case.closed()) }
                            }
                        }
                        section id="again" aria-labelledby="again-title" {
                            h2 id="again-title" { "Machine and command" }
                            @if !self.command.is_empty() {
                                p { "To measure the same again:" }
                                pre tabindex="0" role="region" aria-label="Command" { code { (self.command) } }
                            }
                            dl { @for (name, value) in &self.facts { dt { (name) } dd { (value) } } }
                        }
                    }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string() + "\n"
    }

    /// A choice for each facet that has one: shown by the script, as without it there is nothing to choose.
    fn filter(&self) -> Markup {
        let facets: Vec<(String, Vec<String>)> = self
            .facets()
            .into_iter()
            .filter(|(_, values)| values.len() > 1)
            .collect();
        html! {
            @if !facets.is_empty() {
                form id="filter" hidden aria-label="Filter" {
                    @for (facet, values) in &facets {
                        label {
                            (facet) " "
                            select name=(attribute(facet)) {
                                option value="" { "all" }
                                @for value in values { option value=(value) { (value) } }
                            }
                        }
                    }
                    button type="reset" { "Show all" }
                    output aria-live="polite" {}
                }
            }
        }
    }

    /// The facets in use, each with its values, in the order in which they come first.
    fn facets(&self) -> Vec<(String, Vec<String>)> {
        let mut tags = Vec::new();
        for section in self.sections.iter().chain(&self.cases) {
            tags.extend(&section.tags);
            section.content.iter().for_each(|content| content.tags(&mut tags));
        }
        let mut facets: Vec<(String, Vec<String>)> = Vec::new();
        for (facet, value) in tags {
            let at = facets.iter().position(|(known, _)| known == facet).unwrap_or_else(|| {
                facets.push((facet.clone(), Vec::new()));
                facets.len() - 1
            });
            if !facets[at].1.contains(value) {
                facets[at].1.push(value.clone());
            }
        }
        facets
    }
}

impl Section {
    fn open(&self) -> Markup {
        let title = format!("{}-title", self.id);
        let body = html! {
            section id=(self.id) aria-labelledby=(title) {
                h2 id=(title) { (self.title) (self.badge()) }
                (self.content())
            }
        };
        element("div", "tagged", &self.tags, &body)
    }

    fn closed(&self) -> Markup {
        let body = html! {
            details.case id=(self.id) {
                summary { (self.title) (self.badge()) }
                (self.content())
            }
        };
        element("div", "tagged case", &self.tags, &body)
    }

    fn badge(&self) -> Markup {
        html! {
            @if let Some((word, tone)) = &self.badge { " " span class=(tone.class()) { (word) } }
        }
    }

    /// Figures that follow each other stand side by side where there is room.
    fn content(&self) -> Markup {
        let is_figure = |content: &Content| matches!(content, Content::Figure(_));
        html! {
            @for run in self.content.chunk_by(|a, b| is_figure(a) == is_figure(b)) {
                @if is_figure(&run[0]) {
                    div.figures { @for content in run { (content.html()) } }
                } @else {
                    @for content in run { (content.html()) }
                }
            }
        }
    }
}

impl Content {
    fn html(&self) -> Markup {
        match self {
            Self::Text(text) => html! { p { (text) } },
            Self::Figure(figure) => figure.html(),
            Self::Table(table) => table.html(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{Forest, ForestRow};

    fn tags(operator: &str, backend: &str) -> Tags {
        vec![
            ("operator".to_owned(), operator.to_owned()),
            ("backend".to_owned(), backend.to_owned()),
        ]
    }

    fn page() -> Page {
        let row = |name: &str, tags: Tags| ForestRow {
            name: name.to_owned(),
            target: Some("case-a".to_owned()),
            change: Some(1.0),
            tags,
            ..ForestRow::default()
        };
        let forest = Forest {
            id: "changes".to_owned(),
            title: "Changes".to_owned(),
            rows: vec![row("a", tags("add", "cpu")), row("b", tags("add", "vulkan"))],
            ..Forest::default()
        };
        Page {
            title: "A <run>".to_owned(),
            headline: ("slower".to_owned(), Tone::Worse),
            sections: vec![Section {
                id: "changed".to_owned(),
                title: "What changed".to_owned(),
                content: vec![Content::Text("a & b".to_owned()), forest.draw().into()],
                ..Section::default()
            }],
            cases: vec![Section {
                id: "case-a".to_owned(),
                title: "a".to_owned(),
                tags: tags("add", "cpu"),
                ..Section::default()
            }],
            command: "cargo xtask bench > x".to_owned(),
            ..Page::default()
        }
    }

    #[test]
    fn what_a_page_says_is_escaped_and_its_links_lead_somewhere() {
        let html = page().render();
        assert!(
            html.contains("<title>A &lt;run&gt;</title>") && html.contains("bench &gt; x"),
            "{html}"
        );
        for link in html.split("href=\"#").skip(1) {
            let target = link.split('"').next().unwrap();
            assert!(html.contains(&format!("id=\"{target}\"")), "{target}");
        }
        // Nothing is loaded from elsewhere.
        assert!(!html.contains("http:") && !html.contains("https:"), "{html}");
    }

    #[test]
    fn only_facets_with_a_choice_are_asked_for() {
        let html = page().render();
        assert!(html.contains("<select name=\"data-backend\">"), "{html}");
        assert!(
            !html.contains("<select name=\"data-operator\">"),
            "one operator is no choice"
        );
        assert!(!Page::default().render().contains("<form"), "nothing to filter");
    }

    #[test]
    fn every_id_is_there_once() {
        let html = page().render();
        let mut ids: Vec<&str> = html
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{ids:?}");
    }
}
