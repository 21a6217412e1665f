//! Every stable error code has its page, and every page its code.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn codes_and_pages_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut codes = BTreeSet::new();
    for entry in std::fs::read_dir(&root).expect("the workspace").flatten() {
        if entry.file_name().to_string_lossy().starts_with("snakepit") {
            collect(&entry.path().join("src"), &mut codes);
        }
    }
    let mut pages = BTreeSet::new();
    for page in std::fs::read_dir(root.join("docs/errors"))
        .expect("docs/errors")
        .flatten()
    {
        let name = page.file_name().to_string_lossy().into_owned();
        let Some(code) = name.strip_suffix(".md").filter(|code| *code != "README") else {
            continue;
        };
        let text = std::fs::read_to_string(page.path()).expect("a readable page");
        assert!(
            text.starts_with(&format!("# {code}: ")),
            "{name} begins with its code and what it means"
        );
        pages.insert(code.to_owned());
    }
    assert!(codes.len() > 20, "the search for codes must find them: {codes:?}");
    assert_eq!(codes, pages);
}

/// Every `"SP` and four digits in a source file.
fn collect(folder: &Path, codes: &mut BTreeSet<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, codes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("readable source");
            for (at, _) in text.match_indices("\"SP") {
                let code: String = text[at + 1..]
                    .chars()
                    .take_while(char::is_ascii_alphanumeric)
                    .collect();
                if code.len() == 6 && code[2..].bytes().all(|byte| byte.is_ascii_digit()) {
                    codes.insert(code);
                }
            }
        }
    }
}
