//! CASE, COALESCE, NULLIF, GREATEST and LEAST: one type for several values.

use super::Binder;
use crate::{
    error::{At, Refusal, Result},
    implementation::Implementations,
    operand::{Operand, Value},
    postgres::{CastContext, Choice, PgType, choose_operator, common_type},
};
use millrace_contract::{Expr, SqlType};
use sqlparser::ast;

impl Binder<'_> {
    pub fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        at: At,
    ) -> Result<Operand> {
        let mut operand = operand.map(|operand| self.bind(operand)).transpose()?;
        if let Some(Operand { at, value: value @ Value::Unknown(_) }) = &mut operand {
            let text = self.settle(Operand { at: *at, value: value.clone() }, SqlType::Text)?;
            *value = Value::Known(text);
        }
        let mut tests = Vec::new();
        // Postgres lets the ELSE value speak first when it settles the type.
        let mut results = vec![match otherwise {
            Some(otherwise) => self.bind(otherwise)?,
            None => Operand::unknown(None, at),
        }];
        for ast::CaseWhen { condition, result } in conditions {
            tests.push(match &operand {
                None => self.boolean(condition, "CASE WHEN")?,
                Some(operand) => {
                    let value = self.bind(condition)?;
                    let place = value.at;
                    let compared = self.operator("=", vec![operand.clone(), value], place)?;
                    self.settle(compared, SqlType::Boolean)?
                }
            });
            results.push(self.bind(result)?);
        }
        let (results, ty) = self.unify("CASE", results)?;
        let mut results = results.into_iter();
        let otherwise = results.next().filter(|expr| !matches!(expr, Expr::Literal { value: None, .. }));
        let branches = tests.into_iter().zip(results).collect();
        Ok(Operand::known(Expr::Case { branches, otherwise: otherwise.map(Box::new), ty }, at))
    }

    /// The operands as values of their common type.
    fn unify(&self, what: &str, operands: Vec<Operand>) -> Result<(Vec<Expr>, SqlType)> {
        let types: Vec<PgType> = operands.iter().map(Operand::ty).collect();
        let place = |wanted: PgType| {
            operands.iter().find(|operand| operand.ty() == wanted).map(|operand| operand.at).unwrap_or_default()
        };
        let common = common_type(&types).map_err(|(left, right)| {
            Refusal::new(
                place(right),
                format!("{what} over {left} and {right}"),
                "Postgres finds no common type",
                format!("cast one of them, for example to {left}"),
            )
        })?;
        let Some(ty) = common.sql_type() else { unreachable!("operands have types that views know, or become text") };
        let at = operands.first().map(|operand| operand.at).unwrap_or_default();
        let exprs: Result<Vec<Expr>> = operands
            .into_iter()
            .map(|operand| {
                let from = operand.ty();
                self.coerce(operand, ty, CastContext::Implicit).map_err(|refusal| {
                    if from == PgType::UNKNOWN || refusal.at != at { refusal } else { Refusal { at, ..refusal } }
                })
            })
            .collect();
        Ok((exprs?, ty))
    }

    pub fn coalesce(&mut self, operands: Vec<Operand>, at: At) -> Result<Operand> {
        let (operands, ty) = self.unify("COALESCE", operands)?;
        Ok(Operand::known(Expr::Coalesce { operands, ty }, at))
    }

    /// `NULLIF(left, right)`: the type is that of the left side as `=` takes it.
    pub fn nullif(&mut self, left: Operand, right: Operand, at: At) -> Result<Operand> {
        let declared = match choose_operator("=", &[left.ty(), right.ty()]) {
            Choice::One { arguments, .. } => arguments[0].sql_type(),
            Choice::None | Choice::Ambiguous => None,
        };
        let compared = self.operator("=", vec![left.clone(), right], at)?;
        let condition = self.settle(compared, SqlType::Boolean)?;
        let Expr::Call { arguments, .. } = &condition else { unreachable!("an operator is a call") };
        let ty = declared.unwrap_or(arguments[0].ty());
        let types: Vec<SqlType> = arguments.iter().map(Expr::ty).collect();
        if let (true, Some((function, ty))) = (types[0] == ty, Implementations::get().function("nullif", &types)) {
            let call = Expr::Call { function: function.into(), arguments: arguments.clone(), ty };
            return Ok(Operand::known(call, at));
        }
        // The sides have two types that = compares as the wider one (integer and bigint).
        let null = Expr::Literal { value: None, ty };
        let otherwise = Some(Box::new(self.coerce(left, ty, CastContext::Implicit)?));
        Ok(Operand::known(Expr::Case { branches: vec![(condition, null)], otherwise, ty }, at))
    }

    /// GREATEST and LEAST: nulls are passed over.
    pub fn extreme(&mut self, name: &str, operands: Vec<Operand>, at: At) -> Result<Operand> {
        let (arguments, ty) = self.unify(&name.to_uppercase(), operands)?;
        let types: Vec<SqlType> = arguments.iter().map(Expr::ty).collect();
        let Some((function, ty)) = Implementations::get().function(name, &types) else {
            unreachable!("{name} has a form for {ty}");
        };
        Ok(Operand::known(Expr::Call { function: function.into(), arguments, ty }, at))
    }
}
