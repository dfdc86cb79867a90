//! Filter and projection of changes: a row that is taken back is computed as it was when it came.

use super::Operator;
use crate::{
    changes::{Weighted, Write},
    evaluate::{Context, EvalError, evaluate},
    records::{batch, types_schema},
};
use arrow_array::{Int64Array, RecordBatch, cast::AsArray};
use arrow_schema::SchemaRef;
use arrow_select::filter::{filter, filter_record_batch};
use millrace_contract::{Expr, SqlType, node::Map};

pub(crate) struct Project {
    filter: Option<Expr>,
    columns: Vec<Expr>,
    schema: SchemaRef,
    context: Context,
}

impl Project {
    pub fn new(map: &Map, input: &[SqlType], context: Context) -> Self {
        let Map { filter, columns } = map.clone();
        Project { filter, columns, schema: types_schema(input), context }
    }
}

impl Operator for Project {
    fn describe(&self) -> String {
        let filter = if self.filter.is_some() { "filter and " } else { "" };
        format!("{filter}map to {} columns", self.columns.len())
    }

    fn apply(&self, inputs: &[&Weighted], _: &[RecordBatch], _: &mut Vec<Write>) -> Result<Weighted, EvalError> {
        let mut rows = batch(self.schema.clone(), inputs[0].columns.clone(), inputs[0].len());
        let mut weights: Int64Array = inputs[0].weights.clone();
        if let Some(condition) = &self.filter {
            let kept = evaluate(condition, &rows, &self.context)?;
            let kept = kept.as_boolean();
            weights = filter(&weights, kept).expect("the filter has one value a row").as_primitive().clone();
            rows = filter_record_batch(&rows, kept).expect("the filter has one value a row");
        }
        let columns =
            self.columns.iter().map(|column| evaluate(column, &rows, &self.context)).collect::<Result<_, _>>()?;
        Ok(Weighted { columns, weights }.consolidated())
    }
}
