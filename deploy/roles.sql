-- One login owns the tables and migrates; another runs the app and may insert and read events, no more.
-- psql -v owner_password=… -v app_password=… -f roles.sql postgres
create role gesta_owner login password :'owner_password';
create role gesta_app login password :'app_password';
create database gesta owner gesta_owner;
