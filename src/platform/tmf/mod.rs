//! TMF630 toolkit: filters, attribute selection, paging and the error body, shared by every TMF API.
