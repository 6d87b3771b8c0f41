//! The context that the engine passes to a sink that opens.

use std::sync::Arc;

use connect_api::{
    Cause, Contract, ContractCompiler, ContractField, Counter, Encode, EncoderFactory, PathStep,
    Result, SchemaFile, Side, SinkContext, ValueRef, async_trait,
};

use crate::publisher::Publishers;

/// Contracts without a file: one function checks every value.
#[derive(Clone, Copy)]
pub struct FnContracts(pub fn(ValueRef<'_>) -> Result<(), Cause>);

impl ContractCompiler for FnContracts {
    fn compile(&self, _schema: &SchemaFile) -> Result<Arc<dyn Contract>, Cause> {
        Ok(Arc::new(*self))
    }
}

impl Contract for FnContracts {
    fn check(&self, value: ValueRef<'_>) -> Result<(), Cause> {
        (self.0)(value)
    }

    fn field(&self, _: &[Option<PathStep>]) -> ContractField {
        ContractField::unknown(None)
    }
}

/// A context with unobserved publishers and contracts that accept every value.
pub fn context() -> SinkContext {
    context_with(Publishers::default(), FnContracts(|_| Ok(())))
}

/// A context with these publishers and contracts.
pub fn context_with(publishers: Publishers, contracts: FnContracts) -> SinkContext {
    SinkContext {
        connector: "conformance".into(),
        sink: "sink".into(),
        task: 0,
        cluster_id: "test-cluster".into(),
        rows_written: Counter::default(),
        publishers: Arc::new(publishers),
        contracts: Arc::new(contracts),
        encoders: Arc::new(NoFormats),
    }
}

/// A sink's table without `key_format` and `value_format`.
pub struct NoFormats;

#[async_trait]
impl EncoderFactory for NoFormats {
    async fn encoder(&self, _side: Side, _topic: &str) -> Result<Option<Arc<dyn Encode>>> {
        Ok(None)
    }
}
