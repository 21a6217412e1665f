//! What a pool found in all files together.

use super::Analysis;

/// How many functions are named.
const MOST: usize = 10;

/// Sums over all files. Order does not matter: calls end in any order.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) files: u64,
    pub(super) unparsable: u64,
    pub(super) lines: u64,
    pub(super) functions: u64,
    pub(super) branches: u64,
    /// The most complex first.
    pub(super) most_complex: Vec<Complex>,
}

/// One of the most complex functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complex {
    pub(super) complexity: u64,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) line: u64,
}

impl Totals {
    /// Adds one file.
    pub(super) fn add(&mut self, path: &str, analysis: Analysis) {
        self.files += 1;
        self.unparsable += u64::from(!analysis.parsed);
        self.lines += analysis.lines;
        self.functions += analysis.functions;
        self.branches += analysis.branches;
        self.most_complex
            .extend(analysis.most_complex.into_iter().map(|found| Complex {
                complexity: found.complexity,
                name: found.name,
                path: path.to_owned(),
                line: found.line,
            }));
        // Ties are broken by place, so that two pools name the same functions in the same order.
        self.most_complex.sort_by(|a, b| {
            (b.complexity.cmp(&a.complexity)).then_with(|| (&a.path, a.line).cmp(&(&b.path, b.line)))
        });
        self.most_complex.truncate(MOST);
    }

    /// Whether the other pool found the same.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        self.sums() == other.sums() && self.most_complex == other.most_complex
    }

    fn sums(&self) -> [u64; 5] {
        [
            self.files,
            self.unparsable,
            self.lines,
            self.functions,
            self.branches,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Analysis, Function};
    use super::*;

    fn file(complexities: &[u64]) -> Analysis {
        let most_complex = complexities
            .iter()
            .zip(1..)
            .map(|(&complexity, line)| Function {
                complexity,
                line,
                name: format!("f{line}"),
            })
            .collect();
        Analysis {
            parsed: true,
            lines: 10,
            functions: complexities.len() as u64,
            branches: 1,
            most_complex,
        }
    }

    #[test]
    fn the_order_in_which_calls_end_does_not_change_the_totals() {
        let files = [
            ("a.py", [3, 9, 1]),
            ("b.py", [9, 2, 8]),
            ("c.py", [9, 9, 9]),
            ("d.py", [1, 1, 1]),
        ];
        let mut forward = Totals::default();
        let mut backward = Totals::default();
        for (path, complexities) in files {
            forward.add(path, file(&complexities));
        }
        for (path, complexities) in files.iter().rev() {
            backward.add(path, file(complexities));
        }
        assert!(forward.agrees_with(&backward));
        assert_eq!(forward.most_complex.len(), MOST);

        backward.add("e.py", file(&[]));
        assert!(!forward.agrees_with(&backward), "one file more is a difference");
    }
}
