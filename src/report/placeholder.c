typedef int piaa_report_placeholder;
