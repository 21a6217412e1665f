//! The table itself.
//!
//! Classes and reasons are judgements about use from many threads at once. The versions are those of the compatibility
//! tracker at <https://py-free-threading.github.io/tracking/>, the first release that has wheels for a
//! free-threaded CPython; where it names none, none is named here.

use super::{Library, ThreadSafety};
use ThreadSafety::{Conditional, Safe, Unsafe};

/// Sorted by name.
pub(super) const TABLE: &[Library] = &[
    entry(
        "celery",
        Unsafe,
        None,
        "its pools and signals assume one task at a time per process",
    ),
    entry(
        "cupy",
        Conditional,
        None,
        "the current device and stream belong to the thread: choose them in each call, and share no arrays in writing",
    ),
    entry(
        "faiss",
        Conditional,
        None,
        "searching one index from many threads is safe, adding to it or training it is not",
    ),
    entry(
        "fasttext",
        Unsafe,
        None,
        "its C++ model keeps scratch memory that calls share without a lock",
    ),
    entry(
        "grpcio",
        Unsafe,
        None,
        "it has no free-threaded build, and importing it turns the GIL back on",
    ),
    entry(
        "httpx",
        Safe,
        None,
        "pure Python, and a client may be shared between threads",
    ),
    entry(
        "jax",
        Conditional,
        Some("0.5.1"),
        "calling compiled functions is safe, changing the global configuration is not",
    ),
    entry(
        "lightgbm",
        Conditional,
        None,
        "predictions share a lock, training one booster from many threads is not safe",
    ),
    entry(
        "matplotlib",
        Unsafe,
        Some("3.9.0"),
        "`pyplot` keeps its current figure in global state, and figures may not be drawn by many threads",
    ),
    entry(
        "msgspec",
        Safe,
        Some("0.20.0"),
        "encoders and decoders keep no state between calls",
    ),
    entry(
        "numpy",
        Safe,
        Some("2.1.0"),
        "operations release the GIL, and arrays may be read by many threads; writing to one needs a lock",
    ),
    entry(
        "onnxruntime",
        Safe,
        None,
        "a session may run from many threads at once",
    ),
    entry(
        "opencv",
        Conditional,
        None,
        "functions on images of their own are safe, windows and shared detectors are not",
    ),
    entry(
        "pandas",
        Unsafe,
        Some("2.2.3"),
        "data frames change internal caches even when they are only read",
    ),
    entry(
        "pillow",
        Safe,
        Some("11.0.0"),
        "images of one's own are safe; one image in many threads needs a lock",
    ),
    entry("plotly", Safe, None, "pure Python, and figures are plain data"),
    entry(
        "polars",
        Safe,
        None,
        "data frames do not change, and its own threads do the work",
    ),
    entry(
        "psycopg",
        Safe,
        None,
        "a connection may be shared, and runs one statement at a time",
    ),
    entry("pyarrow", Safe, Some("18.0.0"), "tables and arrays do not change"),
    entry(
        "pydantic",
        Safe,
        Some("2.11.0"),
        "validation keeps no state between calls",
    ),
    entry(
        "requests",
        Safe,
        None,
        "pure Python; a session's cookies are shared, so give each thread a session of its own",
    ),
    entry(
        "scikit-learn",
        Conditional,
        Some("1.6.0"),
        "`predict` is safe on a fitted estimator, `fit` of the same estimator is not",
    ),
    entry(
        "scipy",
        Safe,
        Some("1.15.0"),
        "functions keep no state, or keep it per thread",
    ),
    entry(
        "spacy",
        Conditional,
        None,
        "a loaded pipeline may be read by many threads, its vocabulary grows without a lock",
    ),
    entry(
        "sqlalchemy",
        Conditional,
        Some("2.0.45"),
        "an engine may be shared, a session or connection belongs to one thread",
    ),
    entry(
        "sqlite3",
        Unsafe,
        None,
        "a connection belongs to the thread that opened it, unless that check is switched off and a lock is held",
    ),
    entry(
        "tensorflow",
        Conditional,
        None,
        "inference with a built model is safe, building graphs and training are not",
    ),
    entry(
        "tokenizers",
        Safe,
        None,
        "encoding does not change a tokenizer, and its Rust code does the work",
    ),
    entry(
        "torch",
        Conditional,
        Some("2.6.0"),
        "inference is safe, training one model or changing global settings from many threads is not",
    ),
    entry(
        "transformers",
        Safe,
        None,
        "pure Python; inference with a loaded model does not change it",
    ),
    entry(
        "xgboost",
        Conditional,
        None,
        "in-place prediction is safe, training one booster from many threads is not",
    ),
];

/// Other names for the same thing: those of distributions, and those by which they are imported. Sorted.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("cv2", "opencv"),
    ("faiss-cpu", "faiss"),
    ("faiss-gpu", "faiss"),
    ("grpc", "grpcio"),
    ("jaxlib", "jax"),
    ("onnxruntime-gpu", "onnxruntime"),
    ("opencv-contrib-python", "opencv"),
    ("opencv-contrib-python-headless", "opencv"),
    ("opencv-python", "opencv"),
    ("opencv-python-headless", "opencv"),
    ("pil", "pillow"),
    ("psycopg-binary", "psycopg"),
    ("psycopg-c", "psycopg"),
    ("psycopg3", "psycopg"),
    ("pydantic-core", "pydantic"),
    ("pytorch", "torch"),
    ("sklearn", "scikit-learn"),
    ("tensorflow-cpu", "tensorflow"),
    ("tensorflow-gpu", "tensorflow"),
    ("tf", "tensorflow"),
    ("xgboost-cpu", "xgboost"),
];

const fn entry(
    name: &'static str,
    safety: ThreadSafety,
    free_threaded_since: Option<&'static str>,
    reason: &'static str,
) -> Library {
    Library {
        name,
        safety,
        reason,
        free_threaded_since,
    }
}
