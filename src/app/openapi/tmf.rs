//! The TMF routes: the table of what each official resource is served with. `docs/TMF.md` describes the payloads.

use serde_json::{Value, json};

use super::{Draft, parts};
use crate::app::topics::HUBS;
use crate::platform::context::Scope;

/// One official resource.
struct Resource {
    api: &'static str,
    version: &'static str,
    /// Name of the official definition.
    name: &'static str,
    collection: &'static str,
    methods: &'static [Method],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    List,
    Retrieve,
    Create,
    Update,
    Delete,
}

use Method::{Create, Delete, List, Retrieve, Update};

const RESOURCES: &[Resource] = &[
    Resource {
        api: "TMF620",
        version: "v4.1.0",
        name: "Category",
        collection: "/tmf-api/productCatalogManagement/v4/category",
        methods: &[List, Create, Retrieve, Update],
    },
    Resource {
        api: "TMF620",
        version: "v4.1.0",
        name: "ProductOffering",
        collection: "/tmf-api/productCatalogManagement/v4/productOffering",
        methods: &[List, Create, Retrieve, Update],
    },
    Resource {
        api: "TMF620",
        version: "v4.1.0",
        name: "ProductOfferingPrice",
        collection: "/tmf-api/productCatalogManagement/v4/productOfferingPrice",
        methods: &[List, Create, Retrieve, Update],
    },
    Resource {
        api: "TMF620",
        version: "v4.1.0",
        name: "ProductSpecification",
        collection: "/tmf-api/productCatalogManagement/v4/productSpecification",
        methods: &[List, Create, Retrieve, Update],
    },
    Resource {
        api: "TMF622",
        version: "v4.0.0",
        name: "ProductOrder",
        collection: "/tmf-api/productOrderingManagement/v4/productOrder",
        methods: &[List, Create, Retrieve, Update],
    },
    Resource {
        api: "TMF629",
        version: "v4.0.0",
        name: "Customer",
        collection: "/tmf-api/customerManagement/v4/customer",
        methods: &[List, Create, Retrieve, Update],
    },
    Resource {
        api: "TMF632",
        version: "v4.0.0",
        name: "Individual",
        collection: "/tmf-api/party/v4/individual",
        methods: &[List, Retrieve],
    },
    Resource {
        api: "TMF635",
        version: "v4.0.0",
        name: "Usage",
        collection: "/tmf-api/usageManagement/v4/usage",
        methods: &[List, Create, Retrieve],
    },
    Resource {
        api: "TMF635",
        version: "v4.0.0",
        name: "UsageSpecification",
        collection: "/tmf-api/usageManagement/v4/usageSpecification",
        methods: &[List, Retrieve],
    },
    Resource {
        api: "TMF637",
        version: "v4.0.0",
        name: "Product",
        collection: "/tmf-api/productInventory/v4/product",
        methods: &[List, Retrieve],
    },
    Resource {
        api: "TMF638",
        version: "v4.0.0",
        name: "Service",
        collection: "/tmf-api/serviceInventory/v4/service",
        methods: &[List, Retrieve],
    },
    Resource {
        api: "TMF639",
        version: "v4.0.0",
        name: "Resource",
        collection: "/tmf-api/resourceInventoryManagement/v4/resource",
        methods: &[List, Retrieve],
    },
    Resource {
        api: "TMF640",
        version: "v4.0.0",
        name: "Service",
        collection: "/tmf-api/ServiceActivationAndConfiguration/v4/service",
        methods: &[List, Retrieve],
    },
    Resource {
        api: "TMF640",
        version: "v4.0.0",
        name: "Monitor",
        collection: "/tmf-api/ServiceActivationAndConfiguration/v4/monitor",
        methods: &[List, Retrieve],
    },
    Resource {
        api: "TMF641",
        version: "v4.1.0",
        name: "ServiceOrder",
        collection: "/tmf-api/serviceOrdering/v4/serviceOrder",
        methods: &[List, Create, Retrieve],
    },
    Resource {
        api: "TMF654",
        version: "v4.0.0",
        name: "Bucket",
        collection: "/tmf-api/prepayBalanceManagement/v4/bucket",
        methods: &[List, Retrieve],
    },
    Resource {
        api: "TMF654",
        version: "v4.0.0",
        name: "TopupBalance",
        collection: "/tmf-api/prepayBalanceManagement/v4/topupBalance",
        methods: &[List, Create, Retrieve],
    },
    Resource {
        api: "TMF670",
        version: "v4.0.0",
        name: "PaymentMethod",
        collection: "/tmf-api/paymentMethod/v4/paymentMethod",
        methods: &[List, Retrieve, Update, Delete],
    },
    Resource {
        api: "TMF671",
        version: "v4.1.0",
        name: "Promotion",
        collection: "/tmf-api/promotionManagement/v4/promotion",
        methods: &[List, Create, Retrieve],
    },
    Resource {
        api: "TMF676",
        version: "v4.0.0",
        name: "Payment",
        collection: "/payment/v4/payment",
        methods: &[List, Create, Retrieve],
    },
    Resource {
        api: "TMF676",
        version: "v4.0.0",
        name: "Refund",
        collection: "/payment/v4/refund",
        methods: &[List, Create, Retrieve],
    },
    Resource {
        api: "TMF677",
        version: "v4.0.0",
        name: "QueryUsageConsumption",
        collection: "/tmf-api/usageConsumption/v4/queryUsageConsumption",
        methods: &[List, Retrieve],
    },
    Resource {
        api: "TMF681",
        version: "v4.0.0",
        name: "CommunicationMessage",
        collection: "/tmf-api/communicationManagement/v4/communicationMessage",
        methods: &[List, Retrieve],
    },
    Resource {
        api: "TMF683",
        version: "v4.0.0",
        name: "PartyInteraction",
        collection: "/tmf-api/partyInteraction/v4/partyInteraction",
        methods: &[List, Create, Retrieve],
    },
];

pub(super) fn add(draft: &mut Draft) {
    for resource in RESOURCES {
        draft.schemas.insert(resource.schema(""), resource.resource());
        for method in resource.methods {
            let item = format!("{}/{{id}}", resource.collection);
            match method {
                List => draft.add("get", resource.collection, resource.list()),
                Retrieve => draft.add("get", &item, resource.retrieve()),
                Create => {
                    draft.schemas.insert(resource.schema("_Create"), resource.request("_Create"));
                    draft.add("post", resource.collection, resource.create());
                }
                Update => {
                    draft.schemas.insert(resource.schema("_Update"), resource.request("_Update"));
                    draft.add("patch", &item, resource.update());
                }
                Delete => draft.add("delete", &item, resource.delete()),
            }
        }
    }
    hubs(draft);
}

/// Registration of listeners, the same for every API.
fn hubs(draft: &mut Draft) {
    draft.schemas.insert(
        "EventSubscriptionInput".into(),
        json!({
            "type": "object",
            "properties": {
                "callback": { "type": "string", "format": "uri", "maxLength": 500 },
                "query": { "type": "string", "description": "eventType=CustomerCreateEvent,CustomerStateChangeEvent&customer.id=CUST-4be1709c0d2f" },
            },
            "required": ["callback"],
            "additionalProperties": false,
        }),
    );
    draft.schemas.insert(
        "EventSubscription".into(),
        json!({
            "type": "object",
            "properties": {
                "id": { "type": "string" },
                "callback": { "type": "string" },
                "query": { "type": "string" },
            },
            "required": ["id", "callback"],
        }),
    );
    for (api, path) in HUBS {
        let mut created = parts::json_body("#/components/schemas/EventSubscription");
        created["headers"] = json!({
            "Location": parts::reference("headers", "Location"),
            "X-BSS-Hub-Secret": parts::reference("headers", "HubSecret"),
        });
        let body = json!({ "schema": { "$ref": "#/components/schemas/EventSubscriptionInput" } });
        let errors = with(&[409, 413, 415]);
        draft.add(
            "post",
            path,
            json!({
                "operationId": format!("registerListener{api}"),
                "tags": [api],
                "x-bss-scope": Scope::Admin,
                "x-bss-audience": "admin",
                "summary": format!("Register a listener for the events of {api}"),
                "parameters": parts::caller_parameters(),
                "requestBody": { "required": true, "content": { "application/json": body } },
                "responses": parts::responses(&[(201, "Registered", created)], &errors),
            }),
        );
        draft.add(
            "delete",
            &format!("{path}/{{id}}"),
            json!({
                "operationId": format!("unregisterListener{api}"),
                "tags": [api],
                "x-bss-scope": Scope::Admin,
                "x-bss-audience": "admin",
                "summary": format!("Unregister a listener of {api}"),
                "parameters": parts::with_parameters(&["Id"]),
                "responses": parts::responses(&[(204, "Gone", json!({}))], &with(&[404])),
            }),
        );
    }
}

impl Resource {
    /// Names of several APIs may be equal, so a component carries its API's.
    fn schema(&self, suffix: &str) -> String {
        format!("{}.{}{suffix}", self.api, self.name)
    }

    /// The service of TMF640 is that of TMF638 seen otherwise.
    fn operation_name(&self) -> String {
        if self.api == "TMF640" { format!("{}{}", self.name, self.api) } else { self.name.to_owned() }
    }

    fn reference(&self, suffix: &str) -> String {
        format!("#/components/schemas/{}", self.schema(suffix))
    }

    fn resource(&self) -> Value {
        json!({
            "type": "object",
            "description": self.official(""),
            "properties": {
                "id": { "type": "string" },
                "href": { "type": "string" },
                // A card is a TokenizedCard, which is built on PaymentMethod.
                "@type": if self.name == "PaymentMethod" { json!({ "type": "string" }) } else { json!({ "const": self.name }) },
            },
            "required": ["id", "href", "@type"],
        })
    }

    fn request(&self, suffix: &str) -> Value {
        json!({ "type": "object", "description": self.official(suffix) })
    }

    fn official(&self, suffix: &str) -> String {
        let Self { api, version, name, .. } = self;
        format!("The definition {name}{suffix} of {api} {version}; docs/TMF.md says which of its attributes are used")
    }

    fn list(&self) -> Value {
        let schema = json!({ "type": "array", "items": { "$ref": self.reference("") } });
        let headers = json!({
            "X-Total-Count": parts::reference("headers", "TotalCount"),
            "X-Result-Count": parts::reference("headers", "ResultCount"),
            "Link": parts::reference("headers", "Link"),
        });
        let page = json!({ "content": { "application/json": { "schema": schema } }, "headers": headers });
        let own = [
            (200, "All of them, or the last page", page.clone()),
            (206, "A page of the size asked for; more follow", page),
        ];
        let parameters = parts::with_parameters(&["Fields", "Sort", "Offset", "Limit", "Filter"]);
        self.route("list", "List or find", Scope::Read, parameters, None, parts::responses(&own, parts::READ))
    }

    fn retrieve(&self) -> Value {
        let own = [(200, "The resource", self.tagged())];
        let responses = parts::responses(&own, &with(&[404]));
        self.route("retrieve", "Retrieve", Scope::Read, parts::with_parameters(&["Id", "Fields"]), None, responses)
    }

    fn create(&self) -> Value {
        let mut created = self.tagged();
        created["headers"]["Location"] = parts::reference("headers", "Location");
        let responses = parts::responses(&[(201, "Made", created)], &with(&[404, 409, 413, 415, 422]));
        let body = json!({ "application/json": { "schema": { "$ref": self.reference("_Create") } } });
        self.route(
            "create",
            "Create",
            self.write_scope(),
            parts::with_parameters(&["IdempotencyKey"]),
            Some(body),
            responses,
        )
    }

    fn update(&self) -> Value {
        let responses = parts::responses(&[(200, "Changed", self.tagged())], &with(&[404, 409, 412, 413, 415, 422]));
        let patch = json!({ "schema": { "$ref": self.reference("_Update") } });
        let body = json!({ "application/merge-patch+json": patch, "application/json": patch });
        self.route(
            "patch",
            "Change",
            self.write_scope(),
            parts::with_parameters(&["Id", "IfMatch"]),
            Some(body),
            responses,
        )
    }

    fn delete(&self) -> Value {
        let responses = parts::responses(&[(204, "Gone", json!({}))], &with(&[404, 409, 422]));
        self.route("delete", "Delete", self.write_scope(), parts::with_parameters(&["Id"]), None, responses)
    }

    fn tagged(&self) -> Value {
        let mut answer = parts::json_body(&self.reference(""));
        answer["headers"] = json!({ "ETag": parts::reference("headers", "ETag") });
        answer
    }

    /// What is sold is changed by those who administer; everything else by those who write.
    fn write_scope(&self) -> Scope {
        if matches!(self.api, "TMF620" | "TMF671") { Scope::Admin } else { Scope::Write }
    }

    fn route(
        &self,
        verb: &str,
        summary: &str,
        scope: Scope,
        parameters: Vec<Value>,
        body: Option<Value>,
        responses: Value,
    ) -> Value {
        let mut route = json!({
            "operationId": format!("{verb}{}", self.operation_name()),
            "tags": [self.api],
            "summary": format!("{summary}: {}", self.name),
            "x-bss-scope": scope,
            "parameters": parameters,
        });
        if let Some(content) = body {
            route["requestBody"] = json!({ "required": true, "content": content });
        }
        route["responses"] = responses;
        route
    }
}

fn with(more: &[u16]) -> Vec<u16> {
    [parts::READ, more].concat()
}
