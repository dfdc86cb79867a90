//! What the cluster tests are made of: a person's commands, raw records, a reference that shares nothing with the
//! product, and readers that watch.

pub mod app;
pub mod certificates;
pub mod chaos;
pub mod continuity;
pub mod dashboard;
pub mod database;
pub mod documentation;
pub mod items;
pub mod manifest;
pub mod reader;
pub mod reference;
pub mod resource;
pub mod rest;
pub mod scripted;
pub mod secured;
pub mod shell;
pub mod spectators;
pub mod swap;
pub mod topic;
pub mod users;
pub mod view;
