//! Tests that take the whole cluster to themselves, one after another in the order of their names: they break or replace
//! parts that every view needs, or look at the time that something takes.

mod a_first_view;
mod b_faults;
mod c_apps;
mod c_replay;
mod c_scripts;
mod d_losses;
mod d_upgrade;
mod e_helm;
