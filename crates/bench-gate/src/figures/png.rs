//! Figures as PNG, by whichever renderer of SVG the machine has.
//!
//! A renderer of our own (resvg, with its text shaping) would be 86 crates and 90 s of a core's time in every clean build, for
//! files that hardly anybody asks for.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use thiserror::Error;

use super::{Figure, Theme};

/// Dots per pixel of the SVG: sharp on today's screens.
const SCALE: f64 = 2.0;

/// Why there is no picture.
#[derive(Debug, Error)]
pub enum PngError {
    /// No renderer is installed.
    #[error(
        "no program on this machine makes PNG of SVG (looked for {}); install one, e.g. `apt-get install librsvg2-bin`, or use --svg",
        names().join(", ")
    )]
    NoRenderer,
    /// A file cannot be written or a program cannot be run.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The renderer failed.
    #[error("{program} made no {}: {message}", path.display())]
    Renderer {
        /// Which.
        program: &'static str,
        /// The picture that is missing.
        path: PathBuf,
        /// What the program said.
        message: String,
    },
}

/// A program that renders, and its arguments for a figure of so many pixels.
struct Renderer {
    name: &'static str,
    arguments: fn(svg: &Path, png: &Path, width: f64, height: f64) -> Vec<OsString>,
}

const RENDERERS: [Renderer; 5] = [
    Renderer {
        name: "resvg",
        arguments: |svg, png, _, _| vec!["--zoom".into(), SCALE.to_string().into(), svg.into(), png.into()],
    },
    Renderer {
        name: "rsvg-convert",
        arguments: |svg, png, _, _| {
            let zoom = SCALE.to_string();
            vec!["--zoom".into(), zoom.into(), "--output".into(), png.into(), svg.into()]
        },
    },
    Renderer {
        name: "chromium",
        arguments: browser,
    },
    Renderer {
        name: "google-chrome",
        arguments: browser,
    },
    Renderer {
        name: "chrome",
        arguments: browser,
    },
];

fn names() -> Vec<&'static str> {
    RENDERERS.iter().map(|renderer| renderer.name).collect()
}

fn browser(svg: &Path, png: &Path, width: f64, height: f64) -> Vec<OsString> {
    let mut shot = OsString::from("--screenshot=");
    shot.push(png);
    vec![
        "--headless".into(),
        // Containers give a browser no sandbox; the page is a file of our own.
        "--no-sandbox".into(),
        "--disable-gpu".into(),
        "--hide-scrollbars".into(),
        format!("--force-device-scale-factor={SCALE}").into(),
        format!("--window-size={},{}", width.ceil(), height.ceil()).into(),
        shot,
        svg.into(),
    ]
}

/// Writes a figure as `NAME.png`, and returns the renderer's name.
///
/// # Errors
/// [`PngError::NoRenderer`] where no program renders; the others if it fails.
pub fn png(figure: &Figure, theme: Theme, path: &Path) -> Result<&'static str, PngError> {
    let path = std::path::absolute(path).map_err(|source| PngError::Write {
        path: path.to_owned(),
        source,
    })?;
    let write = |source| PngError::Write {
        path: path.clone(),
        source,
    };
    let svg = path.with_extension("png.svg");
    std::fs::write(&svg, figure.svg(theme)).map_err(write)?;
    let rendered = render(&svg, &path, figure.width, figure.height);
    std::fs::remove_file(&svg).map_err(write)?;
    rendered
}

fn render(svg: &Path, path: &Path, width: f64, height: f64) -> Result<&'static str, PngError> {
    for Renderer { name, arguments } in RENDERERS {
        let output = Command::new(name)
            .args(arguments(svg, path, width, height))
            .stdin(Stdio::null())
            .output();
        match output {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(PngError::Write {
                    path: path.to_owned(),
                    source,
                });
            }
            Ok(output) if output.status.success() && path.is_file() => return Ok(name),
            Ok(output) => {
                return Err(PngError::Renderer {
                    program: name,
                    path: path.to_owned(),
                    message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                });
            }
        }
    }
    Err(PngError::NoRenderer)
}
