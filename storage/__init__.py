"""What is kept: connections, migrations, and the SQL of each part on a page of its own. The only user of apsw."""
