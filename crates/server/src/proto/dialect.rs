//! Makes what a client says readable where it says a part of it in a way of its own.

use serde_json::{Value, json};
use tower_lsp_server::ls_types::InitializeParams;

/// Deeper parts are taken whole or not at all.
const MAX_DEPTH: usize = 6;

/// Parameters of `initialize` without the parts that are not as the protocol has them.
///
/// A client that cannot be initialised is of no use to its user, and a capability that cannot be read is one that it
/// does not have.
pub(crate) fn initialize_params(params: Value) -> Value {
    let accepts =
        |params: &Value| serde_json::from_value::<InitializeParams>(params.clone()).is_ok();
    let mut params = match params {
        Value::Object(_) => params,
        _ => json!({}),
    };
    if !params["capabilities"].is_object() {
        params["capabilities"] = json!({});
    }
    if accepts(&params) {
        return params;
    }
    let base = json!({ "capabilities": {} });
    let mut fitted = base.clone();
    let Value::Object(fields) = params else { return base };
    for (name, value) in fields {
        let with = |value: &Value| {
            let mut params = fitted.clone();
            params[&name] = value.clone();
            params
        };
        let fits = |value: &Value| accepts(&with(value));
        if let Some(value) = fit(&fits, value, MAX_DEPTH) {
            fitted = with(&value);
        } else {
            tracing::warn!(field = name, "a field of initialize is not as the protocol has it");
        }
    }
    fitted
}

/// `value`, or as many of its fields as are accepted; `None` if it is not accepted even empty.
fn fit(accepts: &dyn Fn(&Value) -> bool, value: Value, depth: usize) -> Option<Value> {
    if accepts(&value) {
        return Some(value);
    }
    let Value::Object(fields) = value else { return None };
    let mut fitted = json!({});
    if depth == 0 || !accepts(&fitted) {
        return None;
    }
    for (name, value) in fields {
        let with = |value: &Value| {
            let mut object = fitted.clone();
            object[&name] = value.clone();
            object
        };
        if let Some(value) = fit(&|value| accepts(&with(value)), value, depth - 1) {
            fitted = with(&value);
        }
    }
    Some(fitted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(params: Value, expected: Value) {
        assert_eq!(initialize_params(params), expected);
    }

    #[test]
    fn what_is_right_stays() {
        let params = json!({
            "processId": 7,
            "capabilities": {"general": {"positionEncodings": ["utf-8"]}, "experimental": {"x": 1}},
            "unheardOf": true,
        });
        check(params.clone(), params);
    }

    #[test]
    fn what_is_missing_is_empty() {
        for params in
            [json!(null), json!([]), json!("hello"), json!({}), json!({"capabilities": null})]
        {
            check(params, json!({"capabilities": {}}));
        }
    }

    #[test]
    fn what_is_wrong_is_left_out_and_the_rest_stays() {
        check(
            json!({
                "processId": "seven",
                "rootUri": "file:///a",
                "trace": "loud",
                "capabilities": {
                    "general": {"positionEncodings": ["utf-8"], "markdown": 3},
                    "textDocument": {"completion": {"completionItem": {"snippetSupport": "yes", "deprecatedSupport": true}}},
                    "window": 1,
                },
            }),
            json!({
                "rootUri": "file:///a",
                "capabilities": {
                    "general": {"positionEncodings": ["utf-8"]},
                    "textDocument": {"completion": {"completionItem": {"deprecatedSupport": true}}},
                },
            }),
        );
    }

    proptest! {
        #[test]
        fn whatever_comes_can_be_read(
            process_id in prop_oneof![Just(json!(1)), Just(json!("x")), Just(json!(-1)), Just(json!(1.5))],
            capabilities in prop_oneof![Just(json!({})), Just(json!([1])), Just(json!({"workspace": {"configuration": 1}}))],
            folders in prop_oneof![Just(json!(null)), Just(json!([{"uri": 1}])), Just(json!({}))],
        ) {
            let params = json!({
                "processId": process_id, "capabilities": capabilities, "workspaceFolders": folders,
            });
            let params = initialize_params(params);
            prop_assert!(serde_json::from_value::<InitializeParams>(params).is_ok());
        }
    }
}
