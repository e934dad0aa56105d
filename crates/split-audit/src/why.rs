//! Who pulls a package in: shortest paths from the workspace, with the requirement on each edge.

use std::collections::VecDeque;

use crate::graph::{Edge, Graph};

/// One path, as edges with the package each starts from; the last leads to the package asked about.
pub(crate) type Path<'g> = Vec<(usize, &'g Edge)>;

/// For each package that depends directly on `target`, the shortest path that comes through it; shortest first.
pub(crate) fn paths(graph: &Graph, target: usize) -> Vec<Path<'_>> {
    let n_packages = graph.packages.len();
    let mut came_from: Vec<Option<(usize, &Edge)>> = vec![None; n_packages];
    let mut is_seen: Vec<bool> = graph.packages.iter().map(|p| p.is_member).collect();
    let mut queue: VecDeque<usize> = (0..n_packages).filter(|i| is_seen[*i]).collect();
    while let Some(index) = queue.pop_front() {
        for edge in &graph.edges[index] {
            // Past the target lies nothing that explains it.
            if !is_seen[edge.to] && edge.to != target {
                is_seen[edge.to] = true;
                came_from[edge.to] = Some((index, edge));
                queue.push_back(edge.to);
            }
        }
    }
    let mut paths = Vec::new();
    for (dependent, edges) in graph.edges.iter().enumerate() {
        if !is_seen[dependent] {
            continue;
        }
        for edge in edges.iter().filter(|edge| edge.to == target) {
            let mut path = vec![(dependent, edge)];
            let mut at = dependent;
            while let Some((from, edge)) = came_from[at] {
                path.push((from, edge));
                at = from;
            }
            path.reverse();
            paths.push(path);
        }
    }
    paths.sort_by_key(Vec::len);
    paths
}

/// A path as lines: each package with the requirement through which the one above it pulls it in.
pub(crate) fn render(graph: &Graph, path: &Path<'_>) -> String {
    let mut lines = Vec::new();
    for (depth, (from, edge)) in path.iter().enumerate() {
        if depth == 0 {
            lines.push(format!("  {}", graph.packages[*from].id));
        }
        let mut notes = vec![format!("requires {}", edge.requirement())];
        if !edge.kinds.normal {
            notes.push(format!("{}-dependency", edge.kinds));
        }
        if !edge.platforms.is_empty() {
            notes.push(edge.platforms.join(" or "));
        }
        lines.push(format!(
            "  {}└─ {}   ({})",
            "   ".repeat(depth),
            graph.packages[edge.to].id,
            notes.join("; ")
        ));
    }
    lines.join("\n")
}
