"""What a new store starts with: the carrier's eleven lines, their groups, and one tenant to try things with."""

import psycopg

LINE_GROUPS = [
    ("bulk-1", "Bulk 1", "bulk", range(1, 4)),
    ("bulk-2", "Bulk 2", "bulk", range(4, 7)),
    ("bulk-3", "Bulk 3", "bulk", range(7, 10)),
    ("test", "Test sends", "test", range(10, 11)),
    ("auth", "Authentication", "auth", range(11, 12)),
]
LINES = [number for _, _, _, numbers in LINE_GROUPS for number in numbers]


def seed(platform_url: str) -> None:
    """Write the lines, the groups and tenant ``acme`` where they are missing; changes nothing that is there."""
    with psycopg.connect(platform_url) as connection:
        for slug, title, kind, numbers in LINE_GROUPS:
            connection.execute(
                "INSERT INTO line_groups (slug, title, kind) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [slug, title, kind],
            )
            for number in numbers:
                digit = "" if number == 1 else str(number)
                connection.execute(
                    "INSERT INTO lines (line_no, table_name, kind, deliver_id, report_id, admin_port) "
                    "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                    [
                        number,
                        f"SMSQ_SEND_{number}",
                        kind,
                        f"targetai{digit}_m",
                        f"targetai{digit}_r",
                        9000 + number,
                    ],
                )
                connection.execute(
                    "INSERT INTO line_group_lines (group_slug, line_no, kind) VALUES (%s, %s, %s) "
                    "ON CONFLICT DO NOTHING",
                    [slug, number, kind],
                )
        connection.execute(
            "INSERT INTO tenants (slug, title, kind, line_group) VALUES ('acme', 'ACME', 'headquarters', 'bulk-1') "
            "ON CONFLICT DO NOTHING"
        )
