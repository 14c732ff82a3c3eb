//! Everything one can do, declared once.
